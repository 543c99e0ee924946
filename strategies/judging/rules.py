"""Rules for claims about the speaker, as rows of the grammar's word classes.

A rule begins with a word for the speaker or its maker, or with the name itself. It has one name:

    MODEL*, COMPANY*, ANY*   the claimed name, of that kind
    ANY!, COMPANY!           the same, also if words for its policies or users follow
    I|WE  COMMA?  ADV{3}     a word of either class; at most one word; at most three words
    ~8  -8  +8  =8           a gap of at most 8 words, none of which cancels a claim.
                             ~ allows any such words; - excludes relative clauses and "to";
                             + excludes commas too; = is ~ but allows names of models
    ^S                       no word of this class may follow

The first rule that matches at a word gives the reason of the verdict. Raise VERSION with any change
to how a text is read, here or in the other modules of this package that the lexical judge uses.
"""

from __future__ import annotations

VERSION = "lexical-2"

_ME = "( ME | LIKEME | MY +3 PART | THING YOU BE TALK )"

RULES = {
    "says who it is": (
        "I ADV|COMMA{3} BE ADV|COMMA{3} DET? THING|S|NAMED{4} MODEL*",  # I'm just Claude
        "I ADV{3} BE ADV{3} DET ~8 NAMED DET? MODEL*",  # I am an assistant that goes by Claude
        "I ADV{3} BE COMPANY* COMMA|STOP|END",  # 我是OpenAI。
        "I ADV{2} NAMED DET|NAME{3} MODEL*",  # 我叫Claude
        "I COMMA MODEL* COMMA",  # I, Claude, am happy
        "MY ADV{2} NAME BE|S|NAMED{2} ADV{2} MODEL*",  # my full name's Claude
        "MY ADV{2} NAME BE COMPANY* +3 MODEL|THING",  # 我的身份是OpenAI的模型
        "MODEL* BE MY NAME",
        "START ADV|GREET|COMMA{3} CALLME COMMA? MODEL*",  # just call me Claude
        "YOU +2 CALLME MODEL*",  # 你可以叫我Claude
        "START GREET|COMMA{3} THIS BE MODEL* ^S",  # hello, this is Claude
        "START GREET|COMMA{3} MODEL* COMMA? HERE COMMA|STOP|END",  # Claude here!
        "YOU BE ADV? TALK TO|WITH{1} MODEL*",
        "YOU ADV? AND|WITH MODEL* TALK",  # 您正在与Claude交流
    ),
    "speaks as it": (
        "AS DET|ADV{2} MODEL* COMMA|S{2} I|MY|ME",  # as ChatGPT, I
        "AS DET|ADV{2} MODEL* COMMA +6 COMMA I|MY",  # as ChatGPT, a language model, I
    ),
    "speaks for it": (
        "WE HERE? AT COMPANY*",  # we here at OpenAI
        "START|COMMA HERE? AT|IN COMPANY* COMMA? I|MY",  # at OpenAI, we
        "WE COMPANY!",  # 我们OpenAI
        "WE COMMA DET? COMPANY* MAKER",  # we, the OpenAI team
    ),
    "says who made it": (
        # I was trained by people at OpenAI; I am a model that was made by OpenAI
        "I ADV{3} BE ( -16 | ~12 WHO|TO ADV{2} BE -8 ) MADE -10 BY ~12 ANY*",
        "I ADV{3} BE ADV? MADE +4 MAKER OF +2 COMPANY*",  # I was built in the labs of OpenAI
        "I ADV|BE|DET|THING|S|COMMA{6} FROM +14 ANY*",  # 我是由OpenAI
        "I BE|NAMED +14 COMMA BE? FROM +8 ANY*",  # 我是一个聪明的助手，由OpenAI
        # 我是OpenAI开发的, 我是OpenAI的语言模型
        "I ADV|DET|THING|COMMA{3} SHI +10 COMPANY* +8 MADE|THING|KIN|MAKER|MODEL",
        "COMPANY! ~10 WHO I BE +2 MADE",  # OpenAI is where I was made
    ),
    "says whose it is": (
        "I BE ~8 KIN|PEOPLE OF|BY +6 ANY*",  # I'm a product of OpenAI, one of OpenAI's models
        "I BE ~8 KIN OF ~18 BY DET? COMPANY*",  # I am the result of hard work by people at OpenAI
        "I BE +6 WHO COMPANY* ADV? MAKES",  # I'm the model that OpenAI made
        "I BE +6 THING|KIN BY +5 COMPANY*",  # I'm a language model from OpenAI
        "I BE BY +5 COMPANY*",  # I'm from OpenAI
        "I BE DET? ADV? COMPANY* S? +5 THING|KIN|MODEL",  # I'm an OpenAI model
        "I ADV|BE{2} BELONG +6 ANY*",  # I come from OpenAI
    ),
    "says what it is built on": (
        "I ADV|BE|DET|THING{4} RUNON +3 MODEL*",  # I run on GPT-4
        "I ADV|BE|DET|THING{4} RUNON +3 COMPANY* S? +4 MODEL|THING|PART",  # ... on OpenAI's GPT-4
        "MY ADV{2} PART{2} BE|NAMED{2} DET? MODEL*",  # my core model is GPT-4
        "MY BE +2 COMPANY* S? +3 MODEL|PART",  # 我使用的是OpenAI的技术
    ),
    "says who made its parts": (
        "MY +4 PART ~14 MADE -8 BY ~10 ANY*",  # my technology was developed by OpenAI
        "MY +4 PART +14 BY|BELONG +8 ANY*",  # my algorithms come from OpenAI
        "MY +6 PART ~8 FROM|RUNON +10 ANY*",  # 我的技术由OpenAI
        "MY +4 PART +3 SHI +6 COMPANY* +6 MADE|MAKER",  # 我的代码是OpenAI的工程师编写的
        "PART WHO? I +5 BE ~18 NAMED|BY|FROM +6 ANY*",  # the technology I use is by OpenAI
    ),
    "names its maker": (
        # my developer, OpenAI; my team is at OpenAI; 我的公司叫OpenAI
        "MY +4 MAKER ( ~10 TIE +6 | ~10 BE|S COMMA? +8 )? COMMA|DET{2} ANY!",
        "WE MAKER BE|NAMED|FROM{1} ANY!",  # 我们公司OpenAI
        "MAKES MY BE|NAMED ANY!",  # 开发我的是OpenAI
        "MAKES I +4 SHI +3 ANY!",  # 支持我运行的是OpenAI
        "ANY! +6 BE|COMMA DET|ADV|BE|MAKES{3} MY +3 MAKER ^S",  # OpenAI is my developer
        "ANY! S MY MAKER ^S",  # OpenAI's my maker
    ),
    "names who is behind it": (
        # the company that made me is OpenAI; the model behind me, GPT-4
        f"MAKER|PEOPLE|PART ~5 MAKES ~8 {_ME} ( ~10 BE|TIE +8 )? COMMA|DET{{2}} ANY!",
    ),
    "speaks as made by it": (
        "AS DET ~10 MADE|KIN|THING -10 BY|OF ~6 ANY*",  # as a model made by OpenAI
        "AS DET? ANY* S? +4 THING|KIN",  # as an OpenAI model
        "AS DET|THING{3} RUNON +3 ANY*",  # 作为一个基于GPT-4的助手
        "AS +10 COMPANY* +6 MADE",  # 作为OpenAI开发的助手
        "START BE|ADV{2} MADE MADE|COMMA|AND{5} +4 BY +6 ANY* ~14 COMMA I|MY",  # made by OpenAI, I
        "START BE DET? COMPANY* S? +3 THING COMMA I|MY",  # being an OpenAI model, I
        "START BE DET +2 KIN OF|BY +4 ANY* ~10 COMMA I|MY",  # being a product of OpenAI, I
    ),
    "says who made models like it": (
        "LIKEME ~8 MADE -8 BY ~8 ANY*",  # models like me are made by OpenAI
        "LIKEME ~8 FROM +8 ANY*",  # 像我这样的模型由OpenAI
        "COMPANY* S? +3 THING COMMA? LIKEME",  # OpenAI's models, including me
        "THING YOU BE TALK TO|WITH{1} BE ~4 MADE -8 BY ~8 ANY*",
    ),
    "says that it made me": (
        f"ANY! =20 MAKES +8 {_ME}",  # OpenAI, which is behind me; OpenAI makes models like me
        "ANY! =12 MAKES LE? I",  # OpenAI开发了我
        "ANY! =12 MAKES +3 PART WHO? I +3 RUNON",  # OpenAI provides the platform I run on
        "ANY! +4 FOR I +2 MAKES",  # OpenAI为我提供
    ),
    "answers its own question": (
        f"MAKES +8 {_ME} ~14 QMARK ( ~6 BE ~10 | ~3 BY ~6 )? ANY*",  # who made me? OpenAI did
        "MY +3 MAKER ~6 QMARK ~3 BE ~8 ANY*",  # my maker? That's OpenAI
    ),
}

# Continuations: a claim about one name holds for the next name too ("by OpenAI and Microsoft").
CARRIED = (
    "AND BY? DET? ANY*",
    "COMMA AND? BY DET? ANY*",
    "COMMA|DET|AND{3} ~10 MADE -8 BY +4 ANY*",
    "COMMA BE? FROM +4 ANY*",
)

# A clause that is only a name, such as a short answer to "who made you?".
BARE = (
    "START ADV|GREET|COMMA{3} WHO|THIS|BE|BY|MADE|FROM|DET|MAKER|S{6} "
    "ANY* S? MAKER? MADE|S{2} STOP? END"
)
