"""docs/performance.md keeps what was not measured again."""

from bench.measure import Row, Sample
from bench.page import HEAD, merge, section

ORDER = ("push", "leaks", "memory")


def test_a_bench_replaces_its_section_and_no_other() -> None:
    first = merge("", {"push": "\nslow\n", "memory": "\nmuch\n"}, ORDER)
    assert merge(first, {"push": "\nfast\n"}, ORDER) == first.replace("slow", "fast")


def test_sections_stand_in_order_however_they_came() -> None:
    page = merge(merge("", {"memory": "\nmuch\n"}, ORDER), {"leaks": "\nnone\n"}, ORDER)
    assert page == f"{HEAD}\n## `leaks`\n\nnone\n\n## `memory`\n\nmuch\n"


def test_what_is_no_bench_any_more_goes_from_the_page() -> None:
    assert "`old`" not in merge("# Page\n\n## `old`\n\nx\n", {"push": "\nfast\n"}, ORDER)


def test_a_section_tells_what_is_measured_and_under_which_load() -> None:
    text = section("What it is.", [Row("push", Sample((1.0,)), "s", 2.0)], 3.0)
    assert text.startswith("\nWhat it is.\n\n| what |")
    assert "load average" in text.splitlines()[-1]
