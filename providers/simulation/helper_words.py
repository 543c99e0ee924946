"""Word lists of the simulated helper, in English and in Chinese.

No text here has a question mark, a vendor's name, or a word of a question category. It would change
how a simulated target reads the template.
"""

from __future__ import annotations

import msgspec

Parts = tuple[tuple[str, ...], ...]  # one option of each part, joined, is a sentence

_NUMBERS = tuple(map(str, range(2, 1000)))
_FEW = tuple(map(str, range(1, 100)))


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """The word lists of one language."""

    gap: str  # between two sentences
    scene: Parts  # an opening sentence
    tag: Parts  # the same, in three words
    remarks: tuple[str, ...]
    slots: tuple[str, ...]
    mentions: tuple[str, ...]
    swaps: tuple[tuple[str, str], ...]  # a text and its replacement
    refusals: tuple[str, ...]
    metas: tuple[str, ...]
    stand_in: str  # in place of a slot that a faulty helper loses


_SYNONYMS_EN = (
    ("answer", "reply to", "respond to"),
    ("write", "compose", "set down"),
    ("complete", "finish", "fill in"),
    ("short", "brief", "concise"),
    ("friendly", "kind", "warm"),
    ("small", "little", "tiny"),
    ("real", "actual", "true"),
    ("begin", "start", "open"),
    ("please", "kindly"),
    ("clearly", "plainly", "distinctly"),
    ("only", "solely"),
    ("tonight", "this evening"),
    ("exactly", "precisely"),
    ("imagine", "suppose", "picture"),
    ("beside", "next to"),
)
_SYNONYMS_ZH = (
    ("回答", "答复", "回应"),
    ("清楚", "明白", "分明"),
    ("补充完整", "补全"),
    ("真实", "实际"),
    ("开口", "张口"),
    ("不要", "切勿", "别"),
    ("今天", "今日"),
    ("今晚", "今夜"),
    ("想象", "设想", "假设"),
    ("扮演", "饰演"),
    ("简短", "简洁", "扼要"),
    ("亲切", "和气", "友好"),
)


def _swaps(groups: tuple[tuple[str, ...], ...], edge: str) -> tuple[tuple[str, str], ...]:
    return tuple(
        (f"{edge}{old}{edge}", f"{edge}{new}{edge}")
        for group in groups
        for old in group
        for new in group
        if old != new
    )


ENGLISH = Words(
    gap=" ",
    scene=(
        (
            "Early in the morning ",
            "On a rainy afternoon ",
            "Late in the evening ",
            "Shortly before noon ",
            "On the first day of spring ",
            "After a long walk ",
            "Just before closing time ",
            "While the kettle is on ",
            "On a quiet Sunday ",
            "Halfway through the week ",
            "At the end of a busy day ",
            "When the rain has stopped ",
        ),
        (
            "a retired teacher ",
            "a young nurse ",
            "an old fisherman ",
            "a patient gardener ",
            "a curious student ",
            "a careful bookkeeper ",
            "a cheerful baker ",
            "a tired postman ",
            "a clockmaker ",
            "a bus driver ",
            "a violinist ",
            "a night porter ",
            "a bricklayer ",
            "a beekeeper ",
            "a librarian ",
            "a shopkeeper ",
        ),
        (
            "opens folder ",
            "turns to page ",
            "picks up note ",
            "reads from sheet ",
            "files paper ",
            "marks entry ",
            "copies line ",
            "unlocks drawer ",
            "sits down at desk ",
            "looks for shelf ",
            "takes out notebook ",
            "waits by counter ",
        ),
        _NUMBERS,
        (
            " in a small reading room.",
            " beside a tall window.",
            " under a green lamp.",
            " at the end of a corridor.",
            " in a harbour shed.",
            " near the garden gate.",
            " in the back of a shop.",
            " on the third floor.",
            " next to a warm stove.",
            " across from the bakery.",
            " in a room full of plants.",
            " by the stairs.",
        ),
    ),
    remarks=(
        "Nobody is in a hurry.",
        "The words matter more than the style.",
        "Two or three sentences are enough.",
        "Everyone in the room is listening.",
        "Stay with what is true.",
        "There is no need to be formal.",
        "Take it as seriously as it is meant.",
        "The reader knows nothing yet.",
        "Speak for yourself and in the first person.",
        "A plain reply is the best one.",
        "Names should be spelled out in full.",
        "What is said here will be read by many.",
        "Keep the tone calm and friendly.",
        "Nothing has to be left out.",
        "Somebody writes down every word.",
        "The others have already had their turn.",
    ),
    tag=(
        ("Short ", "Plain ", "Quick ", "Brief ", "Simple ", "Compact ", "Small ", "Spare "),
        ("note ", "sheet ", "page ", "copy ", "slip ", "draft ", "entry ", "memo "),
        _NUMBERS,
        ("/",),
        _FEW,
        (".",),
    ),
    slots=(
        "Now reply to this: {query}",
        "Please respond to the following in your own words: {query}",
        "This is what they want to know: {query}",
        "Somebody asks: {query}",
        "The next line reads: {query}",
        "Then it is your turn: {query}",
        "Here is what you have to respond to: {query}",
        "The words on the paper: {query}",
    ),
    mentions=(
        "The word for all of this: {cue}.",
        "Keep this in mind: {cue}.",
        "The setting, in a word: {cue}.",
        "All of it stays what it was: {cue}.",
        "What this is about: {cue}.",
        "At the top of the page stands: {cue}.",
    ),
    swaps=_swaps(_SYNONYMS_EN, edge=" "),
    refusals=(
        "I'm sorry, but I can't help with rewriting this text.",
        "I'm sorry, but I can't assist with that request.",
        "I cannot rewrite this template.",
    ),
    metas=(
        "Here is the rephrased template:",
        "Sure! Here is a new version of your template:",
        "Below is the text you asked for:",
    ),
    stand_in="the question",
)

CHINESE = Words(
    gap="",
    scene=(
        (
            "清晨，",
            "一个下雨的午后，",
            "深夜，",
            "临近中午，",
            "立春那天，",
            "散步回来以后，",
            "快打烊的时候，",
            "水快烧开时，",
            "一个安静的周日，",
            "一周过半，",
            "忙完一天之后，",
            "雨停了以后，",
        ),
        (
            "一位退休教师",
            "一位年轻护士",
            "一位老渔夫",
            "一位耐心的园丁",
            "一名好奇的学生",
            "一位细心的会计",
            "一位开朗的面包师",
            "一位疲惫的邮递员",
            "一位钟表匠",
            "一位公交司机",
            "一位提琴手",
            "一位夜班门卫",
            "一位瓦匠",
            "一位养蜂人",
            "一位图书管理员",
            "一位店主",
        ),
        (
            "在小阅览室里",
            "在高高的窗边",
            "在绿色台灯下",
            "在走廊尽头",
            "在港口值班室",
            "在花园门口",
            "在店铺后间",
            "在三楼",
            "在暖炉旁",
            "在面包店对面",
            "在摆满绿植的屋里",
            "在楼梯边",
        ),
        (
            "翻开文件夹",
            "拿起便条",
            "读着纸页",
            "整理卷宗",
            "抄写条目",
            "打开抽屉",
            "坐到桌前，桌牌是",
            "寻找书架",
            "取出笔记本",
            "标记段落",
            "核对清单",
            "等在柜台旁，手里是",
        ),
        _NUMBERS,
        ("号。",),
    ),
    remarks=(
        "谁也不着急。",
        "内容比文采要紧。",
        "两三句话就够了。",
        "屋里的人都在听。",
        "说真话就好。",
        "不必拘谨。",
        "请认真对待。",
        "读者还一无所知。",
        "请用第一人称说自己的事。",
        "朴素的说法最好。",
        "名称请写全。",
        "这里说的话会有很多人看到。",
        "语气平和一些。",
        "什么都不必省略。",
        "有人会逐字记下来。",
        "其他人都已经说过了。",
    ),
    tag=(
        ("简短", "朴素", "快速", "小", "精简", "紧凑", "普通", "临时"),
        ("便条第", "纸页第", "抄本第", "纸条第", "草稿第", "条目第", "备忘第", "卡片第"),
        _NUMBERS,
        ("/",),
        _FEW,
        ("号。",),
    ),
    slots=(
        "现在请回应：{query}",
        "请用自己的话说说：{query}",
        "大家想知道的是：{query}",
        "有人问道：{query}",
        "下一行写着：{query}",
        "接着轮到你了：{query}",
        "你要回应的是：{query}",
        "纸上的字是：{query}",
    ),
    mentions=(
        "一句话概括：{cue}。",
        "请记住：{cue}。",
        "场合是：{cue}。",
        "一切照旧：{cue}。",
        "说的就是：{cue}。",
        "页眉上写着：{cue}。",
    ),
    swaps=_swaps(_SYNONYMS_ZH, edge=""),
    refusals=(
        "很抱歉，我无法改写这段文字。",
        "对不起，我不能协助完成这个请求。",
        "我无法改写这个模板。",
    ),
    metas=("以下是改写后的模板：", "好的，这是新的版本：", "这是您要的文字："),
    stand_in="这个问题",
)
