"""Word lists and sentence frames of simulated writers, in English and in Chinese."""

from __future__ import annotations

import re
from typing import NamedTuple


class WriterWords(NamedTuple):
    """One language: synonyms by meaning for each slot of a frame, and the parts of a layout.

    The slots of a frame are {0} subject, {1} adjective, {2} verb and {3} object. *topic* matches
    words that answers may repeat from the prompt.
    """

    words: tuple[tuple[tuple[str, ...], ...], ...]
    frames: tuple[str, ...]
    titles: tuple[str, ...]
    header: str
    gap: str
    topic: re.Pattern[str]
    no_topic: str


def _meanings(text: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(group.split("/")) for group in text.split())


ENGLISH = WriterWords(
    words=(
        _meanings(
            "method/approach/technique cost/price/expense outcome/result/upshot "
            "problem/difficulty/trouble plan/scheme/blueprint rule/principle/guideline "
            "tool/instrument/device team/crew/staff test/trial/check habit/custom/routine "
            "choice/decision/option delay/holdup/lag mistake/error/slip budget/allowance/funding "
            "teacher/tutor/coach record/log/account market/exchange/bazaar road/street/route"
        ),
        _meanings(
            "important/crucial/key simple/plain/easy careful/cautious/thorough fast/quick/rapid "
            "cheap/inexpensive/affordable common/frequent/widespread old/aged/ancient "
            "strong/robust/sturdy hidden/concealed/obscure early/initial/first large/big/sizeable "
            "calm/quiet/peaceful strange/odd/peculiar useful/helpful/handy"
        ),
        _meanings(
            "improves/betters/lifts reduces/lowers/shrinks needs/requires/demands "
            "shows/reveals/displays protects/guards/shields delays/postpones/defers "
            "replaces/supplants/succeeds limits/restricts/confines explains/clarifies/illuminates "
            "begins/starts/opens feeds/nourishes/sustains blocks/stops/hinders"
        ),
        _meanings(
            "growth/expansion/increase danger/risk/hazard harvest/yield/crop "
            "memory/recall/retention trade/commerce/business health/fitness/wellbeing "
            "noise/din/racket trust/faith/confidence speed/pace/tempo energy/power/vigour "
            "language/speech/diction water/moisture/rain debt/liability/loan journey/trip/voyage "
            "evidence/proof/testimony skill/ability/talent"
        ),
    ),
    frames=(
        "the {1} {0} {2} the {3} by about {number} percent.",
        "with {topic}, any {1} {0} {2} some {3} in {number} cases of a hundred.",
        "what {2} our {3} most is this {1} {0}, say {number} people who tried.",
        "since {number} years ago, no {0} so {1} {2} more {3}.",
        "for {topic} that means: one {1} {0} {2} {3}, and {number} others follow.",
        "take page {number}, where each {1} {0} quietly {2} its {3}.",
        "it {2} {3} only while your {0} stays {1}, up to {number} degrees.",
        "experts on {topic} count {number} ways in which that {0}, being {1}, {2} {3}.",
    ),
    titles=(
        "What {topic} rests on",
        "Where to begin",
        "The limits of {topic}",
        "A closer look",
        "In practice",
        "Common doubts about {topic}",
    ),
    header="| Point | Note |",
    gap=" ",
    topic=re.compile(
        r"\b(?!(?:explain|describe|please|write|what|when|where|which|with|about|would|should"
        r"|could|does|have|that|this|from|your)\b)[a-z]{4,}"
    ),
    no_topic="this",
)

CHINESE = WriterWords(
    words=(
        _meanings(
            "方法/办法/可行途径 费用/成本/各项开销 结果/成效/后果 问题/难题/棘手之处 "
            "计划/方案/规划 规则/准则/条条框框 工具/器具/用具 团队/班组/一队人 测试/试验/检验 "
            "习惯/惯例/老规矩 选择/决定/抉择 拖延/耽搁/迟滞 错误/差错/失误 预算/经费/可用款项 "
            "老师/教员/导师 记录/日志/书面档案 市场/集市/商场 路/街道/路线"
        ),
        _meanings(
            "重要/关键/举足轻重 简单/朴素/容易 谨慎/仔细/小心周到 迅速/快/飞快 "
            "便宜/廉价/经济实惠 常见/普遍/随处可见 古老/陈旧/久远 坚固/结实/牢不可破 "
            "隐蔽/潜藏/不易察觉 早期/最初/起先 巨大/庞大/可观 平静/安宁/沉稳 "
            "奇怪/古怪/不同寻常 有用/实用/派得上用场"
        ),
        _meanings(
            "改善/提升/增进 减少/降低/削减 需要/要求/离不开 显示/揭示/展现 保护/守护/捍卫 "
            "推迟/延后/搁置 取代/替换/接替 限制/约束/制约 解释/说明/讲清楚 开启/启动/引发 "
            "滋养/供给/维持 阻挡/妨碍/拦住"
        ),
        _meanings(
            "增长/扩张/发展壮大 危险/风险/隐患 收成/产量/庄稼 记忆/印象/回想 "
            "贸易/商业/买卖往来 健康/体魄/身体 噪声/喧闹/杂音 信任/信心/信赖 速度/节奏/快慢 "
            "能量/动力/活力 语言/言辞/遣词造句 水分/湿度/雨量 债务/欠款/借来的钱 "
            "旅程/行程/路途 证据/凭证/佐证 技能/本领/看家本事"
        ),
    ),
    frames=(
        "{1}的{0}会{2}{3}，幅度约为百分之{number}。",
        "谈到{topic}，凡是{1}的{0}，一百次里有{number}次{2}了{3}。",
        "{number}位试过的人说，最能{2}{3}的正是这种{1}的{0}。",
        "自{number}年前起，再没有哪种{0}如此{1}，还能{2}更多{3}。",
        "就{topic}而言：只要{0}足够{1}，就{2}{3}，另有{number}项随之而来。",
        "请看第{number}页，那里每个{1}的{0}都在悄悄{2}自己的{3}。",
        "唯有{0}保持{1}，它才{2}{3}，上限是{number}度。",
        "研究{topic}的专家列出{number}条理由，认为该{0}因为{1}而{2}{3}。",
    ),
    titles=(
        "{topic}的根基",
        "从哪里开始",
        "{topic}的边界",
        "进一步看",
        "实际做法",
        "{topic}的疑点",
    ),
    header="| 要点 | 说明 |",
    gap="",
    topic=re.compile(
        r"(?:(?![的了是在和与有吗呢把被请为什么如何怎样一个这那些哪说明解释介绍])[\u3400-\u9fff]){2,4}"
    ),
    no_topic="此事",
)
