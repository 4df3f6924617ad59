"""Kinds of requests: what is recognised, in eleven languages, and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.request.harness import housekeeping
from router.request.kinds import Kind, asks_leave, failed, is_stalled, kind_of, plan_in, said
from router.request.phrases import MAX_CHARS, roles_of
from router.request.types import Call, Request, Result, Turn

TASK = "Write a parser for INI files."
REPORT = "I rewrote the helper and moved the configuration into its own module. " * 30
OFFER = "I read the schema. Shall I write the migration?"


def system(text: str) -> Turn:
    return Turn(role="system", texts=(text,))


def user(*texts: str) -> Turn:
    return Turn(role="user", texts=texts)


def says(text: str) -> Turn:
    return Turn(role="assistant", texts=(text,))


def calls(name: str = "look", arguments: str = "{}", *, id: str | None = None) -> Turn:  # noqa: A002
    return Turn(role="assistant", calls=(Call(name=name, arguments=arguments, id=id),))


def result(text: str, *, error: bool | None = None, id: str | None = None) -> Turn:  # noqa: A002
    return Turn(role="tool", results=(Result(text=text, id=id, error=error),))


def request(*turns: Turn, limit: int | None = None, tools: tuple[str, ...] = ()) -> Request:
    return Request(wire="chat", turns=turns, max_output_tokens=limit, tools=tools)


def kind(*turns: Turn, limit: int | None = None, tools: tuple[str, ...] = ()) -> Kind:
    asked = request(*turns, limit=limit, tools=tools)
    return kind_of(asked, said(asked))


def after(text: str, answer: str = REPORT) -> Kind:
    """The kind of words that follow an answer."""
    return kind(user(TASK), says(answer), user(text))


APPROVALS = """
yes|Yes, please.|y|continue|commit it|commit and push|go ahead|ok do it|sounds good, proceed|1|2.
the second one|Option B please|LGTM, ship it 🚀|👍|👍🏽|Please go ahead with option 2.|do both
go ahead and implement the plan as described|ok|let's do it|try again|yes to all|(b)
Ja, mach das bitte|weiter|ja, die zweite Variante|einverstanden|leg los|passt so
oui, vas-y|d'accord, continue|oui, la deuxième option|allez-y
sí, adelante|hazlo|continúa por favor|El segundo por favor
sim, pode continuar|faça isso|pode ir
sì, procedi|va bene, continua|la prima
可以，继续|好的|继续|是的，请执行|第二个
はい、お願いします|続けてください|分かりました、進めてください
네, 진행해 주세요|계속|커밋해줘|네
да, продолжай|давай|хорошо, делай так
हाँ, जारी रखें|ठीक है, करो|आगे बढ़ें
نعم، تابع|موافق|استمر من فضلك
""".replace("\n", "|")
CLOSINGS = """
thanks|Thank you!|thank you, that's all|perfect, bye|Thanks a lot!!|ok thanks|thx
that's all for today
Great, that works. Thank you!|thanks for the help!|it works now|never mind|good night|🙏
danke|vielen Dank für die Hilfe|das war's, tschüss|perfekt, danke
merci|merci beaucoup|au revoir|non merci
gracias|muchas gracias, eso es todo|Perfecto, gracias
obrigado|muito obrigada|tudo bem, obrigado
grazie mille|arrivederci
谢谢|好的，谢谢|再见|太好了，谢谢你
ありがとうございました|ありがとう
감사합니다|고마워요
спасибо, это всё|большое спасибо
धन्यवाद|बहुत धन्यवाद
شكرا جزيلا|شكراً لك
""".replace("\n", "|")
ASKS = """
thanks, now fix the tests|run the tests|fix the login bug|2+2|what?|ok, but why?|yes, but use Rust
never on Sundays|continue with the second chapter of the novel|go to the shop|commit 3f2a|1/3 + 1/4
danke, und jetzt die Tests|merci, mais pourquoi ?|谢谢，现在修复测试|はい、でも速くして
the second world war|do whales sing|is it prime|start a fire|next prime after 7|push ups
""".replace("\n", "|")


def each(table: str) -> list[str]:
    return [text for text in table.split("|") if text.strip()]


@pytest.mark.parametrize("text", each(APPROVALS))
def test_approvals_acknowledge_what_came_before(text: str) -> None:
    assert after(text) == "acknowledgement"
    assert after(text, OFFER) == "acknowledgement"


@pytest.mark.parametrize("text", each(CLOSINGS))
def test_thanks_and_farewells_close(text: str) -> None:
    assert after(text) == "closing"


@pytest.mark.parametrize("text", each(ASKS))
def test_words_that_ask_for_something_are_a_follow_up(text: str) -> None:
    assert after(text) == "follow_up"
    assert kind(user(text)) in ("new_task", "closing")


@pytest.mark.parametrize("text", ["perfect", "great, works", "yes, thanks", "good, thanks, yes"])
def test_praise_approves_where_the_answer_asks_for_leave(text: str) -> None:
    assert after(text, OFFER) == "acknowledgement"
    assert after(text) == "closing"


def test_thanks_alone_closes_even_after_an_offer() -> None:
    assert after("thanks", OFFER) == "closing"


GREETINGS = [
    "hi",
    "Hello!",
    "你好",
    "Guten Tag",
    "hola",
    "مرحبا",
    "नमस्ते",
    "Hello there, how are you today?",
    "Hi, are you there?",
    "Hola, ¿cómo estás?",
    "Wie geht es dir?",
    "お元気ですか？",
    "Nice to meet you!",
]


@pytest.mark.parametrize("text", GREETINGS)
def test_greetings_are_no_task(text: str) -> None:
    assert kind(user(text)) == "greeting"


@pytest.mark.parametrize("text", ["How are you connected to the database?", "What's up with CI?"])
def test_questions_that_begin_like_a_greeting_are_tasks(text: str) -> None:
    assert kind(user(text)) == "new_task"
    assert kind(user(f"{text} {TASK}")) == "new_task"


def test_yes_as_the_first_word_acknowledges_nothing() -> None:
    assert kind(user("yes")) == "new_task"
    assert kind(system("Translate."), user("go")) == "new_task"
    assert kind(says(OFFER), user("yes")) == "acknowledgement"


@given(st.sampled_from(each(APPROVALS)), st.sampled_from(["", " ", "!", "  \n", "…"]))
def test_case_and_punctuation_change_no_role(text: str, end: str) -> None:
    assert roles_of(text.upper() + end) == roles_of(text)


@given(st.text(max_size=3 * MAX_CHARS))
def test_any_text_has_a_kind_and_no_role_where_a_word_is_foreign(text: str) -> None:
    assert after(text) in ("new_task", "follow_up", "acknowledgement", "closing", "greeting")
    assert not roles_of(f"{text} quokka")


@given(
    st.sampled_from(each(CLOSINGS)),
    st.sampled_from(["fix the tests", "why is it slow", "sort it by name"]),
)
def test_an_ask_after_thanks_is_an_ask(thanks: str, ask: str) -> None:
    assert after(f"{thanks}. {ask}") == "follow_up"


def test_a_result_after_the_last_words_goes_on_with_them() -> None:
    loop = (user(TASK), calls(), result("42"))
    assert kind(*loop) == "tool_result"
    assert kind(user(TASK), calls()) == "tool_result"
    assert kind(*loop, says("Done."), user("And for YAML?")) == "follow_up"
    reminder = "<system-reminder>Keep the list of todos current.</system-reminder>"
    anthropic = Turn(role="user", texts=(reminder,), results=(Result(text="42"),))
    assert kind(user(TASK), calls(), anthropic) == "tool_result"
    spoken = Turn(role="user", texts=("Now for YAML, too.",), results=(Result(text="42"),))
    assert kind(user(TASK), calls(), spoken) == "follow_up"


TITLES = [
    ("hey", "Analyze if this message indicates a new conversation topic. If it does, extract a 2-3 "
     "word title that captures the new topic."),
    ("hey", "Generate a concise, sentence-case title (3-7 words) that captures the main topic or "
     "goal of this coding session."),
    ("Please write a 5-10 word title for the following conversation:\n\nUser: hi", ""),
    ("fix it", "Summarize this coding conversation in under 50 characters."),
    ("fix it", "You are a title generator. You output ONLY a thread title. Nothing else."),
    ("Provide a concise, 5-word-or-less title for the conversation, using its same language.", ""),
    ("### Task:\nGenerate a 3-5 word title with an emoji summarizing the chat history.", ""),
    ("### Task:\nGenerate 1-3 broad tags categorizing the main themes of the chat history.", ""),
    ("### Task:\nSuggest 3-5 relevant follow-up questions that the user might ask next in this "
     "conversation, based on the chat history, to continue or deepen the discussion.", ""),
    ("### Task:\nAnalyze the chat history to determine the necessity of generating search queries.",
     ""),
    ("fix it", "You are an expert in crafting pithy titles for chatbot conversations."),
    ("Please generate a four to five word title summarizing our conversation.", ""),
    ("Based on the conversation so far, provide a concise description of this session in 4 words "
     "or less.", ""),
    ("Create a very short title for this chat in at most five words.", ""),
    ("[SUGGESTION MODE: Suggest what the user might naturally type next.]", ""),
    ("你需要将用户的会话总结为 10 个字以内的标题", ""),
    ("Erzeuge einen kurzen Titel für diese Unterhaltung.", ""),
]  # fmt: skip
COMPACTIONS = [
    "Your task is to create a detailed summary of the conversation so far, paying close attention "
    "to the user's explicit requests and your previous actions.",
    "You are performing a CONTEXT CHECKPOINT COMPACTION. Create a handoff summary for another LLM.",
    "Provide a detailed prompt for continuing our conversation above.",
    "Summarize the discussion briefly in 200 words or less to use as a prompt for future context.",
    "First, reason in your scratchpad. Then, generate the <state_snapshot>.",
    "The context window is nearly full. Summarize the conversation so that you can continue.",
]
SUMMARIES = [
    "*Briefly* summarize this partial conversation about programming.",
    "Please summarize the conversation.",
    "请总结我们的对话",
]
OWN_ASKS = [
    "Write a title for my blog post about cats",
    "Summarize the following article: cats are kept by people.",
    "Write a function that generates a title for each chat session",
    "I want to generate a title for each chat session in my Django app",
    "How do I summarize a conversation with a model?",
    "Create a thread title for a forum on quantum computing",
    "Generate tags for this video about bread",
    "Summarize the history of Rome in ten words",
    "Write unit tests for the session summary page",
    "Please recap the history of the Ottoman empire so far as it concerns trade",
    "Give me the questions for the user interview",
]


@pytest.mark.parametrize(("text", "chore"), TITLES)
def test_titles_tags_and_suggestions_are_a_clients_own(text: str, chore: str) -> None:
    turns = (system(chore), user(text)) if chore else (user(TASK), says("Done."), user(text))
    assert kind(*turns) == "title"


@pytest.mark.parametrize("text", COMPACTIONS)
def test_compactions_are_a_clients_own(text: str) -> None:
    assert kind(user(TASK), calls(), result("42"), user(text), tools=("{}",)) == "compaction"
    assert kind(system(text), user("User: hi\nAssistant: hello")) == "compaction"


@pytest.mark.parametrize("text", SUMMARIES)
def test_summaries_are_told_from_compactions(text: str) -> None:
    assert kind(user(TASK), says("Done."), user(text)) == "summary"


@pytest.mark.parametrize("text", OWN_ASKS)
def test_a_users_ask_for_titles_and_summaries_is_the_users(text: str) -> None:
    assert kind(user(text)) == "new_task"


def test_an_instruction_that_is_quoted_in_a_long_text_is_none() -> None:
    quoted = f"{'The first chapter. ' * 60}\n{TITLES[2][0]}\n{'The last one. ' * 80}"
    assert housekeeping(request(user(quoted)), quoted) is None
    book = f"{'You are a coding agent. ' * 800}\n{TITLES[5][0]}"
    assert kind(system(book), user(TASK)) == "new_task"


def test_one_token_is_a_probe() -> None:
    assert kind(user("quota"), limit=1) == "probe"
    asked = "Answer A or B: is the harmonic series convergent (A) or divergent (B)?"
    assert kind(user(asked), limit=1) == "new_task"
    assert kind(user("quota"), limit=2) == "new_task"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("You are an agent for Claude Code, the official CLI. Given the user's message, use the "
         "tools available to complete the task.", "subagent"),
        ("You are a file search specialist for Claude Code.", "subagent"),
        ("You are a careful sub-agent that explores code.", "subagent"),
        ("You were spawned by the lead agent. Report back to the lead agent.", "subagent"),
        ("You are Claude Code. You can launch sub-agents with the Task tool.", "new_task"),
        ("You are a coding agent running in the Codex CLI.", "new_task"),
        ("You are an agent - please keep going until the query is resolved.", "new_task"),
        ("You are a travel agent for tourists.", "new_task"),
    ],
)  # fmt: skip
def test_a_sub_agent_is_told_that_it_is_one(text: str, expected: Kind) -> None:
    assert kind(system(text), user(TASK)) == expected
    assert kind(system(text), user(TASK), says("Done."), user("And YAML?")) == "follow_up"


@pytest.mark.parametrize(
    "answer",
    [
        OFFER,
        "1. Read the schema\n2. Write the migration\n3. Run the tests",
        "I will split the module into three and add tests for each of them.",
        "Plan: move the parser first, then its callers.",
        "Ich schlage vor, zuerst die Tests zu schreiben.",
        "我建议如下。要我继续吗？",
    ],
)
def test_a_plan_is_found_in_an_answer(answer: str) -> None:
    assert plan_in(answer) == answer


@pytest.mark.parametrize(
    "answer",
    [
        REPORT.strip(),
        "1. I moved the parser\n2. Renamed its callers\n3. Fixed the tests",
        "The answer is 42.",
        "",
    ],
)
def test_a_report_is_no_plan(answer: str) -> None:
    assert plan_in(answer) is None
    assert not asks_leave(answer)


@pytest.mark.parametrize(
    ("text", "error", "expected"),
    [
        ("all fine", True, True),
        ("Error: no such table", None, True),
        ("3 tests failed", False, True),
        ("exit code 1", None, True),
        ("Exit code: 0", None, False),
        ("Traceback (most recent call last):", None, True),
        ("bash: foo: command not found", None, True),
        ("0 failed, 12 passed, no errors", None, False),
        ("42", None, False),
    ],
)
def test_a_failed_result_says_so(text: str, error: bool | None, expected: bool) -> None:
    assert failed(Result(text=text, error=error)) is expected


def loop(*steps: tuple[str, str]) -> Request:
    """Calls by their arguments, with what they gave."""
    turns = [user(TASK)]
    for i, (arguments, text) in enumerate(steps):
        turns += [calls("sql", arguments, id=str(i)), result(text, id=str(i))]
    return request(*turns)


def test_three_equal_failing_calls_are_a_stall() -> None:
    bad, fine = ("{}", "Error: no such table"), ("{}", "42")
    assert is_stalled(loop(bad, bad, bad))
    assert is_stalled(loop(fine, bad, bad, bad))
    assert not is_stalled(loop(bad, bad))
    assert not is_stalled(loop(bad, bad, fine))
    assert not is_stalled(loop(bad, bad, ('{"x": 1}', bad[1])))
