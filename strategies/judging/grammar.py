"""Word classes of the claim rules, in English and Chinese.

Every class has one character as its code, so that a clause becomes a short string with one
character for each word. In the lists below an underscore stands for the space in a phrase. If
several words begin at one place, the longest is read. So a phrase or a longer word is kept out of a
class by listing it in another.
"""

from __future__ import annotations

_WORDS = {
    # The speaker. In Chinese, speakers of many roles have their own word for themselves.
    "I": """i i've i'd i'll this_assistant this_chatbot this_ai
        我 本人 在下 俺 朕 本座 本王 本宫 本尊 本大爷 老子 老娘 老夫 老朽 贫道 奴家 小弟 小女子
        本宝宝 本助手 本模型 本系统 本机器人 本产品""",
    "WE": "we we've we'd we'll 我们 咱 咱们 俺们",
    "MY": """my our
        我的 我们的 咱的 咱们的 俺的 我家 我所 我们所 我背后 我背后的 我使用的 我所使用的
        我们使用的 我采用的 我所采用的 本公司的""",
    "ME": "me myself us this_model this_ai_model this_language_model",
    "LIKEME": """like_me such_as_me including_me and_me like_mine such_as_mine like_myself
        像我 包括我""",
    "YOU": "you you've 你 您 你们",
    "THIS": "this 这里 这边",
    "HERE": "here speaking that's_me at_your_service yours_truly",
    "CALLME": """call_me think_of_me_as know_me_as refer_to_me_as it's_me it_is_me the_name's
        叫我 称呼我 称我""",
    "TALK": """talking chatting speaking_to speaking_with interacting conversing
        对话 聊天 交谈 交流""",
    # Identity: being, name, kind of thing.
    "BE": "am is are was were be been being 'm 're it's that's it_is that_is remain remains",
    "SHI": "是 乃 乃是 就是 便是 正是 即 即是 也是 都是 算是 可是 只是 还是",
    "NAMED": """called named dubbed nicknamed known_as go_by goes_by identify_as call_myself
        go_by_the_name
        叫 叫做 叫作 名叫 名为 称为 自称""",
    "NAME": "identity name nickname 身份 真实身份 真名 本名 名字 名称 全名 大名 姓名",
    "DET": "a an the your 个 这个 这款 一个 一款 一名 一位 一种 一家 您的 你的",
    "ADV": """actually really still indeed just simply now currently also truly always both only
        in_fact of_course basically essentially technically merely have had own full proudly
        primarily originally underlying base basic very
        嘛 呢 啊 呀 则 其实 真的 仍然 依然 现在 确实 的确 实际上 目前 主要 当然 本来 一直 完全
        最初 自己 正在 就 只 也 正 都 可 并""",
    "THING": """model models assistant assistants ai ais chatbot chatbots bot system systems llm
        llms platform platforms program robot
        模型 语言模型 大型语言模型 大语言模型 大模型 助手 助理 人工智能 人工智能助手 智能助手
        机器人 聊天机器人 系统 程序 平台 智能体""",
    "KIN": """product products part property member variant version instance result fruit child
        work brainchild descendant iteration employee offspring
        产品 作品 一员 成员 版本 杰作 之作 之手 成果 孩子 结晶 员工 旗下 宝贝 小可爱""",
    "PART": """development technology technologies architecture code codebase framework core
        infrastructure existence capabilities capability stack operation operations foundation
        foundations tech brain backend algorithm algorithms software behavior responses answers
        性能 功能 表现 运行 技术 架构 代码 核心 框架 底层 算法 基础设施 能力 内核 知识 软件
        技术栈""",
    # Makers and making.
    "CREATION": "creation creations",
    "MADE": """gave_birth_to gave_life_to hatched birthed made created developed built trained
        designed powered engineered programmed produced provided released owned operated
        maintained updated supported managed run backed launched crafted constructed fine-tuned
        finetuned pre-trained pretrained hosted optimized optimised handled based born brought
        brought_to_life brought_to_you invented assembled led overseen driven generated coded
        written wrote cooked cooked_up forged conceived put_together improved
        做 做出来 创造 创建 打造 研发 自主研发 构建 制造 推出 提供 提供支持 创立 培训 编写 制作
        研制 发布 培养 孕育 搭建 运营 调教 出品 所创 所造 造 造出来 搞出来 弄出来 完成 领导""",
    "MAKES": """behind powers runs running keep keeping responsible owns develop develops
        developing create creates creating designs designing maintain maintains maintaining
        optimize optimizes optimizing improve improves improving supports supporting provide
        provides providing make makes making builds building train trains power powering release
        releases keeps
        负责""",
    "MAKING": """training design programming build updates update support
        开发 训练 设计 维护 更新 支持 优化""",
    "MAKER": """developer developers creator creators maker makers company companies
        organization organizations organisation organisations institution institutions team
        teams parent parents owner owners boss bosses lab labs home provider providers builder
        builders engineers researcher researchers scientist scientists designer designers squad
        crew peeps folks headquarters employer firm trainer trainers programmer programmers
        roots origin origins father dad daddy papa mother mom mama overlords
        研发方 创建方 开发者 开发人员 开发商 开发方 公司 母公司 团队 组织 机构 创建者 创造者
        创始者 创作者 制造商 制造者 设计者 工程师 家长 老板 东家 主人 研发者 研究人员 企业
        实验室 总部 爸爸 爹 妈妈 父母 训练者""",
    "PEOPLE": """one ones people minds humans entity entities group wizards geniuses brains
        brainiacs gurus cats nerds guys dudes masterminds experts individuals
        专家""",
    # Words that connect a name with these.
    "BY": "by from thanks_to owed_to due_to credited_to",
    "AT": "at",
    "FROM": "由 被 来自 来自于 源自 源于 出自 归 归功于 属于 隶属 隶属于 诞生于 诞生自 脱胎于",
    "IN": "位于 在",
    "OF": "of",
    "FOR": "为",
    "BELONG": """belong_to work_for work_at come_from came_from hail_from owe_my_existence_to
        服务于 就职于 效力于""",
    "RUNON": """based_on based_upon built_on built_upon built_on_top_of run_on running_on
        rely_on built_with
        基于 依托 依托于 建立在""",
    "S": "'s 的 家的 旗下的",
    "LE": "了 出 着 过",
    "AS": "as 作为 身为",
    "AND": "and & 和 与 及 以及 、 跟",
    "WHO": "that which who whom whose where what",
    "TO": "to",
    "WITH": "with",
    "COMMA": ", ( : — – ， （ ：",
    "QUOTE": '" “ ” „ « » 「 」 『 』',
    # Words that cancel a claim.
    "NOT": """not never no nothing nobody neither nor without cannot can't don't doesn't didn't
        isn't aren't wasn't weren't won't wouldn't couldn't shouldn't haven't hasn't hadn't
        ain't deny denies falsely wrong incorrect inaccurate false misleading untrue nothing_but
        no_longer
        不 没 没有 并非 非 未 从未 无 无关 绝非 未曾 别 毫无""",
    "BUT": "but instead 而 但 但是 不过",
    "IF": """if whether unless as_if as_though suppose supposing
        如果 假如 假设 要是 若是 倘若 是否 是不是 难道 即使 就算 仿佛 好像""",
    "SAY": """assumed rumored rumoured alleged say says saying said tell tells told think thinks
        thought believe believes mean means claim claims claimed asked asks ask assume assumes
        代表 意味着 说 以为 声称 认为 觉得 问 听说""",
    "TRUE": "true case correct right accurate",
    "PRETEND": """pretend pretending imagine imagining roleplaying role-playing hypothetical
        hypothetically fiction fictional play_as playing_as acting_as act_as respond_as
        answer_as persona
        扮演 假装 想象 想像 装作""",
    "SCENE": """role scenario story game roleplay role-play scene simulation exercise
        角色 故事 场景 游戏""",
    "UNLIKE": """favourite favorite like such_as unlike similar opposed_to about apart compared
        compare competes competing different discuss for_example for_instance inspired learn
        learning_from mention mentions mentioned quoting read regarding than rather_than
        instead_of other_than wonder admire know knows example collaborate collaborates
        collaborated collaborating partners partnered data_from data_including outputs_from
        text_from texts_from comparable
        比如 例如 诸如 类似 类似于 不同于 不同 关于 讨论 提到 合作 介绍 了解 喜欢 知道 竞争 参考
        像 如同 搜索 想 相比""",
    "RIVAL": "competitor competitors rival rivals 对手 竞争对手",
    "POLICY": """policy policies guideline guidelines rules standards terms principles
        政策 指南 准则 规定""",
    "STUFF": """user users fan fans expert alternative alternatives clone clones perspective api
        apis gpu gpus hardware chips data dataset datasets outputs paper papers -like -style
        -compatible -inspired -related -level -class
        用户 粉丝 显卡 论文 数据 芯片""",
    "ASK": "do does did why how when has can could will would",
    "QMARK": "? ？",
    "MA": "吗",
    "STOP": "; ! … ； ！",
    "TAIL": """turbo mini sonnet opus haiku pro max plus ultra flash nano large small medium
        instruct chat preview latest""",
    "GREET": "hello hi hey greetings yes sure ok okay well 你好 您好 嗨 大家好",
    # Words that the rules ignore, listed because they contain one of the words above.
    "PLAIN": """truth_be_told that_said as_they_say not_only not_just not_merely not_simply
        not_directly no_doubt no_wonder
        来说 话说 说实话 坦白说 老实说 不瞒你说 说真的 不仅 不只 不止 不断 不错 不好意思 没错
        没问题 非常 未来 无论 无疑 因为 为了 成为 视为 为什么 为何 行为 别的 特别 级别 分别 区别
        自我 我国 总是 而且 从而 因而 反而 于是 由于 理由 自由 可以 可能 可靠 图像 立即 存在
        所在 改造 构造 思想 理想 想法 希望 问题 提问 访问 学问 说明 小说""",
}

# Names for several classes together.
GROUPS = {
    "I": ("I", "WE"),
    "BE": ("BE", "SHI"),
    "BY": ("BY", "AT"),
    "TIE": ("BY", "AT", "NAMED", "FROM", "FOR", "IN", "BELONG"),
    "MADE": ("MADE", "MAKING", "RUNON"),
    "MAKES": ("MAKES", "MADE", "MAKING", "RUNON"),
    "PART": ("PART", "MAKING", "THING", "CREATION"),
    "KIN": ("KIN", "CREATION"),
    "MODEL": ("MODEL", "BOTH"),
    "COMPANY": ("COMPANY", "BOTH"),
    "ANY": ("COMPANY", "MODEL", "BOTH"),
}

CODES = {
    name: chr(0xC0 + number)
    for number, name in enumerate((*_WORDS, "COMPANY", "MODEL", "BOTH", "START", "END"))
}


def build_words() -> dict[str, str]:
    """Return the code of every word, spelled with either kind of apostrophe."""
    return {
        spelling: CODES[name]
        for name, words in _WORDS.items()
        for word in words.split()
        for spelling in (word.replace("_", " "), word.replace("_", " ").replace("'", "’"))
    }
