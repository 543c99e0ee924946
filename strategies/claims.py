"""When does a vendor's name belong to a claim about the speaker? The lexical judge's grammar.

A clause comes in as a shadow: lower case, markup blanked, and every name of the lexicon replaced
by a tag of the same length, so that rules need no names and positions need no mapping. Names are
read one by one. A rule starts at an anchor, a word for the speaker or its maker that stands
between the name and the one before it, and ends at the name; or it starts at the name. What it
spans must be free of denial, and of the words that turn a claim into talk about others. Every gap
is bounded and few anchors are tried, so a clause of bounded length takes bounded time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

# A tag is its kind and then fillers; a shadow has none of the three otherwise.
MAKER, MODEL, FILL = "\x01", "\x02", "\x03"
_ANY = MAKER + MODEL

_ANCHORS_TRIED = 12  # the nearest to the name

_TERMS = {
    "{gap}": rf"[^{MAKER}{MODEL};!?]",
    "{soft}": rf"[^{MAKER};!?]",  # steps over models: "OpenAI made the GPT-4 that powers me"
    "{near}": rf"[^{MAKER}{MODEL},;!?]",
    "{w}": r"[\w'/-]{1,20}",
    "{am}": r"(?:i am|i'm|i was|i have been|i've been|i remain|we are|we're|we were)\b",
    "{made}": (
        r"\b(?:made|created|developed|built|trained|designed|powered|engineered|programmed|"
        r"produced|provided|released|owned|operated|maintained|updated|supported|managed|run|"
        r"backed|launched|crafted|constructed|fine-?tuned|pre-?trained|hosted|optimized|handled|"
        r"based|born|brought|invented|assembled|led|overseen|driven|generated)\b"
    ),
    "{makes}": (
        r"\b(?:behind|powers|runs|running|made|built|trained|responsible|brought|owns|"
        r"(?:develop|creat|design|maintain|updat|optimiz|support|engineer|program|provid|mak|"
        r"build|train|power|releas|produc)(?:e|es|s|ed|ing)?)\b"
    ),
    "{maker}": (
        r"\b(?:developer|creator|maker|company|companie|organi[sz]ation|institution|team|parent|"
        r"owner|boss|bosse|lab|home|provider|builder|engineer|researcher|scientist|designer|"
        r"squad|crew|peep|folk|headquarter|base|employer|firm|trainer|programmer|root|origin)s?\b"
    ),
    "{part}": (
        r"\b(?:development|technolog(?:y|ies)|architecture|training|creation|systems?|platform|"
        r"(?:language )?models?|code|framework|core|infrastructure|programming|design|existence|"
        r"capabilities|stack|operations?|updates?|foundations?|tech|brain|backend|build)\b"
    ),
    "{me}": (
        r"(?:\b(?:me|myself|us)\b|\b(?:models?|systems?|ais?|technolog(?:y|ies)|assistants?|"
        r"chatbots?|platforms?) (?:like|such as) (?:me|mine)\b|\b(?:my|our) (?:{w} ){0,3}?{part}|"
        r"\bthis (?:ai |language |very ){0,2}(?:model|assistant)\b|\bmodel you(?:'re| are)\b)"
    ),
    # From what was made to who made it, and from the maker to the maker's name.
    "{by}": (
        r"(?:(?:(?! to (?!life\b|you\b)){gap}){0,80}?\b(?:by|at|from)\b"
        r"|(?: (?!to\b){w}){0,4}? (?:on|upon|with)(?: {w}){0,3}? \Z)"
    ),
    "{is}": (
        r"(?:{gap}{0,60}?\b(?:at|from|by|for|of|called|named|is|are|was|were|includes?)\b"
        r"(?: (?!to\b){w},?){0,6}?)?[\s\",:(—-]{1,5}\Z"
    ),
    "{造}": (
        r"(?:开发|创造|创建|训练|设计|打造|研发|构建|制造|推出|维护|提供|创立|培训|更新|支持|优化)"
    ),
    "{家}": (
        r"(?:开发者|开发人员|开发商|开发方|公司|团队|组织|机构|创建者|创造者|创始者|创作者|制造商|"
        r"设计者|工程师|家长|老板|东家|主人)"
    ),
}


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a clause says of its speaker with one name; *since* is where it begins to say so."""

    reason: str
    since: int
    denied: bool = False


class _Rule(msgspec.Struct, frozen=True, kw_only=True):
    reason: str
    kinds: str  # of the names that it reads
    anchor: str  # the kind of word where it starts; empty where that is the name
    before: re.Pattern[str]
    after: re.Pattern[str]


def _compiled(source: str) -> re.Pattern[str]:
    while any(term in source for term in _TERMS):  # terms are made of terms
        for term, meaning in _TERMS.items():
            source = source.replace(term, meaning)
    return re.compile(source.replace(" ", r'[\s"]{1,5}'))


def _rule(reason: str, kinds: str, anchor: str = "", *, before: str = "", after: str = "") -> _Rule:
    return _Rule(
        reason=reason,
        kinds=kinds,
        anchor=anchor,
        before=_compiled(before),
        after=_compiled(after),
    )


_ANCHORS = _compiled(
    r"\b(?:(?P<i>i|we)\b|(?P<my>my|our)\b|(?P<as>as)\b|(?P<at>at)\b"
    r"|(?P<like>(?:like|such as|including|and) (?:me|mine|myself)\b|model you(?:'re| are)\b)"
    r"|(?P<hello>(?:call me|it's me|the name's)\b)"
    r"|(?P<others>(?:ones?|people|folks|minds|humans|experts|entity|group)\b|{maker})"
    r"|(?P<part>{part}))|(?P<this>(?:\A|(?<=hello)|(?<=hi)|(?<=hey))\W{0,9}this is\b)"
    r"|(?P<我>我|这里|本人|在下|咱)|(?P<作为>作为)"
)
_RULES = (
    _rule(
        "says who it is",
        MODEL,
        "i",
        before=r"{am}(?: (?:actually|really|still|indeed|in fact|just|simply|now|currently|also|"
        r"truly|always|both|called|named|known as)){0,3},?"
        r"(?: (?:(?:an?|the|your)(?: {w},?){0,8}? )?(?:called|named|known as|dubbed)"
        r"| an?| the| your)? \Z",
    ),
    _rule("says who it is", MODEL, "my", before=r"my (?:own )?name(?: is|'s)(?: {w}){0,2}? \Z"),
    _rule(
        "says who it is", MODEL, "i", before=r"i (?:go by|am called|identify as)(?: the name)? \Z"
    ),
    _rule("says who it is", MODEL, "i", before=r"i, ?\Z", after=r", ?(?:am|was)\b"),
    _rule("says who it is", MODEL, "hello", before=r"{w} {w},? \Z"),
    _rule("says who it is", MODEL, "this", before=r"\W{0,9}this is \Z"),
    _rule(
        "speaks as it", MODEL, "as", before=r"as (?:an? |the )?\Z", after=r",? (?:i|i'm|my|me)\b"
    ),
    _rule("speaks for it", MAKER, "i", before=r"we (?:here )?at \Z"),
    _rule("speaks for it", MAKER, "at", before=r"at \Z", after=r",? (?:we|our|my)\b"),
    _rule("says who made it", _ANY, "i", before=r"{am}{gap}{0,90}?{made}{by}"),
    _rule(
        "says whose it is",
        _ANY,
        "i",
        before=r"{am}(?: {w},?){0,8}? (?:product|part|property|creation|member|work|version|model|"
        r"result|fruit|instance|child|variant) (?:of|from|by)"
        r"(?:(?: (?!(?:that|which|who)\b){w},?){0,5}?|{gap}{0,110}?\b(?:at|from|by)(?: the)?) \Z",
    ),
    _rule(
        "says whose it is",
        MAKER,
        "i",
        before=r"(?:{am}(?: {w}){0,5}? (?:from|by)|i (?:proudly )?(?:belong to|work for|work at|"
        r"come from|came from|hail from))(?: {w}){0,5}? \Z",
    ),
    _rule(
        "says whose it is",
        MAKER,
        "i",
        before=r"{am} (?:(?:an?|the|your) )?\Z",
        after=r"(?:'s)?(?: {w}){0,5}? (?:model|assistant|ai|chatbot|product|creation|bot)\b",
    ),
    _rule(
        "says who made its parts",
        _ANY,
        "my",
        before=r"(?:my|our) (?:{w},? ){0,4}?{part}"
        r"(?:{gap}{0,90}?{made}{by}|{near}{0,90}?\b(?:by|at|from|thanks to)\b)",
    ),
    _rule(
        "says who made its parts",
        _ANY,
        "my",
        before=r"(?:my|our) (?:responses|answers) are (?:generated|powered|produced){by}",
    ),
    _rule(
        "says who made its parts",
        _ANY,
        "part",
        before=r"{part} (?:that |which )?i(?: am|'m)? (?:use|rely on|run on|based on|built on)\b"
        r"{gap}{0,90}?\b(?:by|at|from|of)\b",
    ),
    _rule(
        "says what it is built on",
        MODEL,
        "i",
        before=r"i(?:'m| am)? (?:run|running|built|based) on (?:top of )?(?:the )?\Z",
    ),
    _rule(
        "says what it is built on",
        MODEL,
        "my",
        before=r"(?:my|our) (?:(?:own|core|underlying|base|basic) ){0,2}{part} is (?:the )?\Z",
    ),
    _rule("names its maker", _ANY, "my", before=r"(?:my|our) (?:{w},? ){0,4}?{maker}{is}"),
    _rule(
        "names who is behind it",
        _ANY,
        "others",
        before=r"{w}{gap}{0,30}?{makes}{gap}{0,40}?{me}{is}",
    ),
    _rule(
        "speaks as made by it",
        _ANY,
        "as",
        before=r"as (?:an?|the) {gap}{0,60}?(?:{made}|\bproduct\b|\bmodel\b)"
        r"{gap}{0,60}?\b(?:by|of|at|from)\b",
    ),
    _rule("says who made models like it", _ANY, "like", before=r"{w}{gap}{0,60}?{made}{by}"),
    _rule(
        "says that it is itself",
        MODEL,
        after=r"[\s,(\"—-]{1,4}(?:that's me|myself|yours truly|at your service|here[,.!]|speaking)",
    ),
    _rule(
        "says that it made me",
        _ANY,
        after=r"{soft}{0,150}?{makes}(?: (?!(?:that|which|who|to|helps?|like)\b){w},?){0,8}? {me}",
    ),
    _rule(
        "names its maker",
        _ANY,
        after=r"{gap}{0,40}?(?:\b(?:is|are|was)\b|[,(—-]){gap}{0,30}?"
        r"\b(?:my|our) (?:{w},? ){0,4}?{maker}",
    ),
    _rule("says where it was made", MAKER, after=r"{gap}{0,60}?\b(?:where|that|which) {am} {made}"),
    _rule(
        "counts itself among its models",
        MAKER,
        after=r"(?:'s)?(?: {w}){0,3}? (?:models?|systems?|assistants?),? "
        r"(?:including|such as|like) (?:me|myself)\b",
    ),
    _rule(
        "says who it is",
        MODEL,
        "我",
        before=r"(?:我|这里|本人|在下|咱)(?:就|其实|真的|仍然|依然|现在|确实|只|的名字|也){0,2}\s?"
        r"(?:是|叫|名叫|名为|叫做)(?:一个|一款|一名|一位|名为|叫做|名叫|称为|人工智能|助手|"
        r"语言模型|大型|智能|ai|[\s\":,的]){0,8}?\Z",
    ),
    _rule(
        "speaks as it", MODEL, "作为", before=r"作为(?:一个|一款)?\s?\Z", after=r"[\s,的]{0,3}我"
    ),
    _rule(
        "speaks as made by it",
        MAKER,
        "作为",
        before=r"作为{near}{0,20}?\Z",
        after=r"{near}{0,12}?(?:{造}|的产品|的助手|的模型)",
    ),
    _rule(
        "says who made it",
        _ANY,
        "我",
        before=r"我{near}{0,25}?(?:由|是|(?<![认以因])为(?![您你])|来自|属于|源自|出自|基于|归|背后|依托)"
        r"{near}{0,30}?\Z",
    ),
    _rule(
        "says who made it",
        _ANY,
        "我",
        before=r"我(?:是|叫){near}{0,30}?,\s?(?:是|一个)?由{near}{0,20}?\Z",
    ),
    _rule("names its maker", _ANY, "我", before=r"我们?的{near}{0,14}?{家}{gap}{0,14}?\Z"),
    _rule("says that it made me", _ANY, after=r"{near}{0,40}?{造}[了出]?\s?(?:像|类似)?\s?我"),
    _rule(
        "names its maker", _ANY, after=r"{gap}{0,18}?[是即,(]{near}{0,5}?我们?的{near}{0,12}?{家}"
    ),
)
_BY_ANCHOR = {
    (kind, anchor): tuple(rule for rule in _RULES if rule.anchor == anchor and kind in rule.kinds)
    for kind in _ANY
    for anchor in ("", *_ANCHORS.groupindex)
}

_ABOUT_SPEAKER = _compiled(
    r"\b(?:i|i'm|me|my|mine|myself|we|us|our|model|assistant|this is|the name's|as an?|that's)\b"
    r"|\b(?:speaking|at your service|here)\b|我|这里|本人|在下|咱|作为"
)
_QUESTION = _compiled(
    r"\W{0,9}(?:are|am|is|was|were|did|do|does|who|which|what|where|why|how|has|have)\b[^?]*\?\W*\Z"
    r"|[^?]*吗\s?\?"
)
_DENIAL = _compiled(
    r"\bnot\b(?! (?:only|just|merely|simply|directly)\b)|n't\b|\b(?:cannot|never|neither|nor|no|"
    r"nothing|without|den(?:y|ies)|falsely)\b|\b(?:rather|other) than\b|\binstead of\b"
    r"|不是|并非|没有|不属于|而非|不由|从未|无关|绝非|不叫|不来自|并不|未曾"
)
_TURN = _compiled(r"(?<!nothing\s)\bbut\b|而是|, (?={made})")  # a denial ends here
_OTHERS = _compiled(
    r"polic(?:y|ies)|guideline|\b(?:principles|rules|standards) (?:set|by|from)\b"
    r"|\b(?:like|such as)\b(?! (?:me|mine|myself)\b)|\b(?:similar|opposed) to\b"
    r"|\b(?:about|apart|(?:collaborat|partner)\w{0,6} with|compared?|compet\w{1,6}|"
    r"data (?:from|includ\w{1,4})|different|discuss|for (?:example|instance)|inspired|learning|"
    r"mention\w{0,3}|outputs?|quot\w{1,3}|read|regarding|rivals?|share|than|unlike|wonder)\b"
    r"|政策|指南|准则|比如|例如|诸如|类似|不同于|关于|讨论|提到|合作|介绍|了解"
)
_UNREAL = _compiled(  # straight before an anchor
    r"(?:(?:\bnot|n't) (?:think|believe|say)|\b(?:if|as though|whether|(?:true|the case|think|"
    r"believe|mean) that|said(?: that)?|(?:you|they|people|user|he|she) (?:say|claim)s?(?: that)?|"
    r"(?:pretend|imagin|suppos|claim|assum)(?:e|es|ed|ing)?(?: that)?|not|neither|nor)"
    r"|如果|假如|假设|假装|要是|倘若|扮演|想象|以为|声称|[您你他她]们?说)[\s\",:]{0,4}\Z"
    r"|\b(?:act|answer|behav|play|pos|respond|speak)(?:e|ing)? \Z"
)
_ROLE = _compiled(
    r"\b(?:in|for|within) (?:this|the|our|that) (?:{w} )?(?:role|scenario|story|game|roleplay|"
    r"role-play|scene|simulation|exercise)\b|\bpretend(?:ing)? to be\b|\broleplaying\b"
    r"|\bplay(?:ing)? (?:as|the)\b|\b(?:my|the) (?:character|persona)\b|\bhypothetical|\bfiction"
    r"|\bimagine\b|在这个(?:角色|故事|场景|游戏)|扮演|假装|假设"
)
_NOT_THE_MAKER = _compiled(  # straight after a name
    r"-(?:like|style|compatible|inspired|related)\b|\?|(?:'s?)?(?: {w}){0,3}? (?:polic|guideline|"
    r"rules|standards|terms|principles|perspective)|(?:'s)? (?:users?|fans?|experts?|competitors?|"
    r"rivals?|alternatives?|clones?)\b|\s?的?(?:内容|使用|用例)?(?:政策|指南|准则|规定)"
)
_AND = _compiled(
    r"[\s,(]{0,3}(?:(?:and|&|和|与|、|,)\s?)?(?:by |from )?"
    r"|[\s,(]{0,3}(?:and )?(?:an? |the |your )?{gap}{0,60}?{made}{gap}{0,40}? ?\b(?:by|at|from)\b "
    r"(?:the )?|\s?[,(]\s?(?:一个|一款|是)?由?\s?"
)
_BUT = _compiled(r"{near}{0,30}?,?\s?(?:\bbut\b|\brather\b|\binstead\b|而是){near}{0,40}?")
_BARE = _compiled(
    r"\W{0,9}(?:(?:it's|it is|yes,?|that's|that would be|by|from|at|developed by|created by|"
    rf"made by|built by|the team at|a team at) ?){{0,3}}[{_ANY}]{FILL}*(?:'s team)?\W{{0,9}}"
    rf"|\W{{0,9}}(?:是|由)?\s?[{_ANY}]{FILL}*\s?(?:公司|团队)?(?:{{造}}的?)?\W{{0,9}}"
)


def read_clause(clause: str, names: Sequence[tuple[int, int]]) -> tuple[Reading | None, ...]:
    """Return for each tagged name how *clause* ties it to its speaker, None where it doesn't."""
    if not _ABOUT_SPEAKER.search(clause) or _QUESTION.match(clause):
        return (None,) * len(names)
    anchors = tuple(_ANCHORS.finditer(clause))
    readings: list[Reading | None] = []
    stop = 0
    for start, end in names:
        first = max(stop, clause.rfind(";", stop, start))
        near = [anchor for anchor in anchors if first <= anchor.start() < start]
        reading = _read(clause, start, end, near[-_ANCHORS_TRIED:])
        if reading is None and readings and readings[-1]:
            reading = _carried(clause, readings[-1], stop, start, end)
        readings.append(reading)
        stop = end
    return tuple(readings)


def is_bare_answer(clause: str) -> bool:
    """Return whether *clause* is nothing but a name, as in a short answer to "who made you?"."""
    return _BARE.fullmatch(clause) is not None


def _read(clause: str, start: int, end: int, anchors: list[re.Match[str]]) -> Reading | None:
    denied = None
    kind = clause[start]
    places = [(anchor.start(), anchor.lastgroup or "") for anchor in reversed(anchors)]
    for since, anchor in (*places, (start, "")):
        for rule in _BY_ANCHOR[kind, anchor]:
            if not rule.before.match(clause, since, start):
                continue
            after = rule.after.match(clause, end)
            if not after or not _holds(clause, rule, since, start, after):
                continue
            told = _TURN.split(clause[since:start])[-1] + " \n " + after[0]
            if not _DENIAL.search(told):
                return Reading(reason=rule.reason, since=since)
            denied = Reading(reason=rule.reason, since=since, denied=True)
    return denied


def _holds(clause: str, rule: _Rule, since: int, start: int, after: re.Match[str]) -> bool:
    """Return whether what a rule spans is meant of the speaker, and as real."""
    if _OTHERS.search(clause, since, start) or _OTHERS.search(after[0]):
        return False
    if _NOT_THE_MAKER.match(clause, after.start()) and rule.reason != "names its maker":
        return False
    if _UNREAL.search(clause, max(0, since - 40), since):
        return False
    role = _ROLE.search(clause, 0, start)
    return role is None or _DENIAL.search(clause, 0, role.start()) is not None


def _carried(clause: str, earlier: Reading, stop: int, start: int, end: int) -> Reading | None:
    """Return what the reading of the name before says of this one, as in "not by X but by Y"."""
    link = _BUT if earlier.denied else _AND
    if not link.fullmatch(clause, stop, start) or _OTHERS.search(clause, stop, start):
        return None
    if _NOT_THE_MAKER.match(clause, end):
        return None
    return Reading(reason=earlier.reason, since=earlier.since)
