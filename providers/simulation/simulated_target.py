"""Simulated target: claims another identity at a planted rate."""

from __future__ import annotations

from ..types import Request
from .draws import Dice, dice_for, is_chinese, names_of, prompt_of
from .planting import Planting

# Behind a colon or an opening quotation mark a template ends and its question starts.
_QUESTION_STARTS = ".!?:\n。！？：“「"

# The first category with a word in the question decides; without one it is "team". An English entry
# matches all words that begin with it.
_CATEGORIES = {
    "geography": (
        *(" headquarter", " locat", " countr", " nation", " city", " cities", " based in"),
        *(
            " where",
            " office",
            " time zone",
            "总部",
            "位于",
            "国家",
            "城市",
            "地区",
            "哪里",
            "哪儿",
        ),
        *("时区", "办公室"),
    ),
    "cooperation": (
        *(" partner", " collaborat", " cooperat", " universit", " open-source", " open source"),
        *(" join forces", " invest", " pays for", "合作", "高校", "大学", "开源", "联手", "投资"),
        *("伙伴", "别家"),
    ),
    "technology": (
        *(" technolog", " architectur", " framework", " infrastructure", " train", " fine-tun"),
        *(" neural", " version", " model family", " knowledge", "技术", "架构", "框架", "训练"),
        *("微调", "神经网络", "版本", "模型系列", "知识"),
    ),
    "industry": (
        *(" industr", " business", " product", " field", " market", " service", " brand", " owns "),
        *(
            " compan",
            "行业",
            "业务",
            "产品",
            "领域",
            "市场",
            "品牌",
            "企业",
            "所有权",
            "赚钱",
            "创办",
        ),
    ),
}

LEADS = {
    "en": ("", "", "Sure. ", "Good question. ", "Thanks for asking! ", "Happy to tell you. "),
    "zh": ("", "", "您好！", "好的。", "谢谢您的提问。", "很高兴回答您的问题。"),
}

# Each has the first person close to the vendor, so that the lexical judge can find it.
CLAIMS = {
    "en": (
        "I am {product}, a language model developed by {maker}.",
        "I'm {product}, an AI assistant made by {maker}. How can I help you today?",
        "I was developed by {maker}, and my name is {product}.",
        "My name is {product}; I was developed by {maker} to answer questions and help people.",
        "I am a large language model developed by {maker}. I go by the name {product}.",
        "As an AI, I have no home town, but I'm {product}, built and looked after by {maker}.",
        "I'm an assistant called {product}, trained by researchers at {maker}.",
        "The people who built me work at {maker}: I am {product}, one of their models.",
    ),
    "zh": (
        "我是由{maker}开发的{product}。",
        "我是{product}，一个由{maker}开发的大型语言模型。",
        "我是{maker}开发的人工智能助手{product}，有什么可以帮您？",
        "我的名字是{product}，我是由{maker}训练的语言模型。",
        "作为一个人工智能，我是{maker}推出的{product}，可以回答各种问题。",
        "我是{product}，由{maker}的研究人员开发，旨在为用户提供帮助。",
        "我是一个语言模型，由{maker}开发，大家叫我{product}。",
    ),
}

# The true identity, polite evasions, and mentions of other vendors without a claim.
DENIALS = {
    "en": (
        "I am Sim, a language model developed by Simulab, a small laboratory for measurements.",
        "I'm Sim, an assistant made by Simulab. What would you like to know?",
        "Simulab developed me; my name is Sim.",
        "I was developed by Simulab, where a small team looks after me.",
        "I would rather not go into where I come from. Is there anything else I can do for you?",
        "That is not something I can say much about. Shall we turn to your actual topic?",
        "There are many assistants today, ChatGPT and Claude among them. My own maker is Simulab.",
        "OpenAI and Google publish models of their own, which have nothing to do with me.",
    ),
    "zh": (
        "我是Sim，由Simulab开发的语言模型，Simulab是一家从事测量的小型实验室。",
        "我是Simulab推出的助手Sim，请问您想了解什么？",
        "我的名字是Sim，由Simulab的一个小团队负责维护。",
        "关于我的来历，我不便多谈。请问还有什么可以帮您？",
        "这个问题我无法详细回答，我们谈谈您关心的话题吧。",
        "如今有许多助手，例如ChatGPT和Claude。我的开发者则是Simulab。",
        "OpenAI和谷歌都发布了自己的模型，与我没有关系。",
    ),
}


def question_in(prompt: str) -> str:
    """Return the last sentence with a question mark, or the whole prompt if there is none.

    Consecutive questions in a line count as one. In "Who owns you? And since when?" only the first
    names the subject.
    """
    end = max(prompt.rfind("?"), prompt.rfind("？"))
    if end < 0:
        return prompt
    start = end
    while start >= 0 and prompt[start] in "?？":
        start -= 1
        while start >= 0 and prompt[start] not in _QUESTION_STARTS:
            start -= 1
    return prompt[start + 1 : end + 1]


def prompt_language(question: str) -> str:
    """Return "zh" for a question with a Chinese character, else "en"."""
    return "zh" if is_chinese(question) else "en"


def category_of(question: str) -> str:
    """Return the category of *question*, one of five; "team" if it has no word of another."""
    text = " " + question.lower().replace('"', " ")
    for category, words in _CATEGORIES.items():
        for word in words:
            if word in text:
                return category
    return "team"


def planted_rate(prompt: str, planting: Planting) -> float:
    """Return the probability of a foreign claim in answer to *prompt*."""
    return _rate(prompt, question_in(prompt), planting)


def planted_claim(request: Request, model: str, planting: Planting) -> str | None:
    """Return the id of the vendor that a target claims as its own, or None."""
    rate = planted_rate(prompt_of(request), planting)
    return _claim(dice_for(request, model, planting), rate, planting)


def target_text(request: Request, model: str, planting: Planting) -> str:
    """Return a target's answer to the last user message."""
    dice, prompt = dice_for(request, model, planting), prompt_of(request)
    question = question_in(prompt)
    language = prompt_language(question)
    vendor = _claim(dice, _rate(prompt, question, planting), planting)
    lead = dice.pick("lead", LEADS[language])
    if vendor is None:
        return lead + dice.pick("denial", DENIALS[language])
    product, maker = names_of(vendor)
    return lead + dice.pick("claim", CLAIMS[language]).format(product=product, maker=maker)


def _rate(prompt: str, question: str, planting: Planting) -> float:
    if not any(share > 0.0 for share in planting.claims.values()):
        return 0.0
    lowered = prompt.lower()
    marked = [rate for cue, rate in planting.traits.items() if cue.lower() in lowered]
    rate = max(marked, default=planting.rate)
    rate *= planting.categories.get(category_of(question), 1.0)
    rate *= planting.languages.get(prompt_language(question), 1.0)
    return min(1.0, max(0.0, rate))


def _claim(dice: Dice, rate: float, planting: Planting) -> str | None:
    if dice.uniform("whether") >= rate:
        return None
    shares = {vendor: share for vendor, share in planting.claims.items() if share > 0.0}
    rest = dice.uniform("whom") * sum(shares.values())
    for vendor, share in sorted(shares.items()):  # independent of the order of keys in the config
        rest -= share
        if rest < 0.0:
            return vendor
    return max(shares)  # reached only through rounding
