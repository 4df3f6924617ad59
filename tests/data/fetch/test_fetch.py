"""Public sets over a real connection that is not always kind."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from huggingface_hub import constants

from data.commands import data
from data.errors import FetchError
from data.fetch.catalogue import PublicSet, find_set, load_catalogue
from data.fetch.download import HubFile, download
from data.fetch.fetch import Fetched, Trust, fetch_set

if TYPE_CHECKING:
    from .conftest import Hub
else:
    Hub = Any

COMMIT = "a" * 40
TRAIN, TEST = "data/train.parquet", "data/test.csv"
FIRST = Trust(first_use=True)


def public(**changed: object) -> PublicSet:
    known: dict[str, Any] = {
        "name": "mine", "about": "", "repo": "org/mine", "files": ("data/*",), "read": "long",
        "licence": "MIT",
    }  # fmt: skip
    return PublicSet(**(known | changed))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def bring(hub: Hub, out: Path, trust: Trust | None = FIRST, **changed: object) -> Fetched:
    return fetch_set(public(**changed), out, trust, endpoint=hub.url)


def whole(hub: Hub, out: Path) -> bool:
    """Whether all files are there as served, and nothing else."""
    present = {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    present.pop("fetched.json")
    return present == {name: hub.files[name] for name in (TRAIN, TEST)}


def test_a_set_arrives_whole_and_what_came_is_written_down(hub: Hub, tmp_path: Path) -> None:
    fetched = bring(hub, tmp_path)
    assert whole(hub, tmp_path)
    assert fetched.revision == COMMIT
    assert fetched.sha256 == {name: sha256(hub.files[name]) for name in (TRAIN, TEST)}
    assert set(fetched.known_by.values()) == {"first use"}
    assert json.loads((tmp_path / "fetched.json").read_text())["revision"] == COMMIT


@pytest.mark.parametrize(
    "faults",
    [
        ["truncates"],
        ["truncates", "truncates", "truncates", "truncates"],
        ["closes"],
        ["stalls"],
        ["truncates", "ignores range"],
        ["truncates", "wrong range"],
        ["503", "429"],
        ["redirect"],
    ],
)
@pytest.mark.parametrize("sizes", [True, False])
def test_a_download_that_breaks_off_still_ends_whole(
    hub: Hub, tmp_path: Path, faults: list[str], sizes: bool
) -> None:
    hub.lists_sizes = sizes
    hub.faults = ["", *faults]
    bring(hub, tmp_path)
    assert whole(hub, tmp_path)


def test_only_the_missing_bytes_are_asked_for_again(hub: Hub, tmp_path: Path) -> None:
    hub.faults = ["", "truncates", "truncates"]
    bring(hub, tmp_path)
    half = len(hub.files[TRAIN]) // 2
    assert hub.asked == [
        "200 all",  # the other file
        "200 all",
        f"206 bytes={half}-",
        f"206 bytes={half + half // 2}-",
    ]


def test_a_later_command_goes_on_where_an_earlier_one_gave_up(hub: Hub, tmp_path: Path) -> None:
    hub.faults = ["", "truncates", *["503"] * 5]
    with pytest.raises(FetchError, match=r"did not get on in 4 attempts \(the server answers 503"):
        bring(hub, tmp_path)
    half = len(hub.files[TRAIN]) // 2
    assert (tmp_path / f"{TRAIN}.{COMMIT[:12]}.part").stat().st_size == half
    assert not (tmp_path / TRAIN).exists()
    hub.asked.clear()
    bring(hub, tmp_path)
    assert hub.asked == [f"206 bytes={half}-"]  # and the other file was whole
    assert whole(hub, tmp_path)


def test_a_file_that_changed_meanwhile_is_begun_anew(hub: Hub, tmp_path: Path) -> None:
    hub.faults = ["", "truncates", *["503"] * 5]
    with pytest.raises(FetchError):
        bring(hub, tmp_path)
    hub.files[TRAIN] = b"another version" * 9000
    hub.version = "v2"
    bring(hub, tmp_path)
    assert whole(hub, tmp_path)


def test_a_rest_that_does_not_fit_is_brought_anew_once(hub: Hub, tmp_path: Path) -> None:
    part = tmp_path / f"{TRAIN}.{COMMIT[:12]}.part"
    part.parent.mkdir()
    part.write_bytes(b"\0" * 1000)  # of something else, and nobody knows of what
    bring(hub, tmp_path)
    assert whole(hub, tmp_path)
    assert hub.asked[1:] == ["206 bytes=1000-", "200 all"]


def test_a_part_that_was_whole_only_gets_its_name(hub: Hub, tmp_path: Path) -> None:
    part = tmp_path / f"{TRAIN}.{COMMIT[:12]}.part"
    part.parent.mkdir()
    part.write_bytes(hub.files[TRAIN])
    bring(hub, tmp_path)
    assert whole(hub, tmp_path)
    assert hub.asked == ["200 all"]


def test_damaged_bytes_are_never_kept(hub: Hub, tmp_path: Path) -> None:
    hub.faults = ["", "corrupts"]
    with pytest.raises(FetchError, match=r"train.parquet has sha256 [0-9a-f]{64}, not .*nothing"):
        bring(hub, tmp_path)
    assert [p.name for p in (tmp_path / "data").iterdir()] == ["test.csv"]
    assert not (tmp_path / "fetched.json").exists()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("gone", "answers 404: there is no such file at this revision"),
        ("403", "answers 403: it asks for an account; set HF_TOKEN, or download it by hand"),
        ("elsewhere", "http://192.0.2.1/stolen is not HTTPS; nothing is brought over an open line"),
    ],
)
def test_what_cannot_pass_is_said_at_once(
    hub: Hub, tmp_path: Path, fault: str, message: str
) -> None:
    hub.faults = [fault]
    with pytest.raises(FetchError, match=message):
        bring(hub, tmp_path)


def test_without_a_network_it_is_said_what_to_do(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        FetchError, match=r"cannot be reached \(.*bring data/\* of org/mine by other"
    ):
        fetch_set(public(), tmp_path, FIRST, endpoint="http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(FetchError, match=r"cannot be reached .*tierwise data ingest --from long"):
        bring(hub, tmp_path)
    assert hub.asked == []


def test_an_unverified_set_is_not_brought_unless_somebody_vouches(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"no sha256 of mine .*--sha256 .*or --trust-first-use"):
        bring(hub, tmp_path, None)
    with pytest.raises(FetchError, match=r"nobody vouches for data/train.parquet; give --sha256"):
        bring(hub, tmp_path, Trust(sha256={TEST: sha256(hub.files[TEST])}))
    assert hub.asked == []


def test_digests_that_the_user_gives_are_what_counts(hub: Hub, tmp_path: Path) -> None:
    right = {name: sha256(hub.files[name]) for name in (TRAIN, TEST)}
    fetched = bring(hub, tmp_path, Trust(sha256=right))
    assert set(fetched.known_by.values()) == {"given"}
    wrong = Trust(sha256={"": "0" * 64})
    with pytest.raises(FetchError, match=f"not {'0' * 64}"):
        bring(hub, tmp_path / "other", wrong, files=(TEST,))
    with pytest.raises(FetchError, match="sha256 must be 64 hex digits in lower case, got 'abc'"):
        bring(hub, tmp_path / "other", Trust(sha256={"": "abc"}), files=(TEST,))


def test_a_pinned_set_needs_nobody_to_vouch(hub: Hub, tmp_path: Path) -> None:
    pins = {name: sha256(hub.files[name]) for name in (TRAIN, TEST)}
    fetched = bring(hub, tmp_path, None, revision=COMMIT, sha256=pins)
    assert set(fetched.known_by.values()) == {"pinned"}
    assert whole(hub, tmp_path)
    with pytest.raises(FetchError, match="not " + "2" * 64):
        bring(
            hub,
            tmp_path / "other",
            FIRST,
            revision=COMMIT,
            sha256={TRAIN: "1" * 64, TEST: "2" * 64},
        )


def test_after_the_first_use_the_folder_is_held_to_what_came(hub: Hub, tmp_path: Path) -> None:
    bring(hub, tmp_path)
    hub.asked.clear()
    again = bring(hub, tmp_path, None)  # nobody needs to vouch twice
    assert hub.asked == []  # and nothing is brought twice
    assert set(again.known_by.values()) == {"recorded"}
    (tmp_path / TEST).unlink()
    hub.files[TEST] = b"exchanged"
    with pytest.raises(FetchError, match="test.csv has sha256"):
        bring(hub, tmp_path, FIRST)


def test_a_folder_holds_one_set(hub: Hub, tmp_path: Path) -> None:
    bring(hub, tmp_path)
    with pytest.raises(FetchError, match="holds mine; give another folder for yours"):
        bring(hub, tmp_path, FIRST, name="yours")


def test_an_unknown_revision_or_pattern_says_what_there_is(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="org/mine at nowhere could not be read"):
        bring(hub, tmp_path, Trust(first_use=True, revision="nowhere"))
    with pytest.raises(
        FetchError, match=r"has no file like \*.jsonl at a+; it has README.md, data"
    ):
        bring(hub, tmp_path, FIRST, files=("*.jsonl",))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("data/x.pkl", "is a pickle, which can run code when it is read, and is not brought"),
        ("data/x.joblib", "is a pickle"),
        ("data/x.exe", "of a kind that is not brought; those are .parquet, .csv"),
        ("data/../../x.csv", "of a kind that is not brought"),
    ],
)
def test_unsafe_files_are_refused_before_a_byte_arrives(
    hub: Hub, tmp_path: Path, path: str, message: str
) -> None:
    hub.files[path] = b"\x80\x04N."
    with pytest.raises(FetchError, match=message):
        bring(hub, tmp_path)
    assert hub.asked == []


def test_a_download_without_room_says_how_much_is_needed(hub: Hub, tmp_path: Path) -> None:
    url = f"{hub.url}/datasets/org/mine/resolve/{COMMIT}/{TEST}"
    with pytest.raises(FetchError, match="more are needed"):
        download(HubFile(TEST, COMMIT, url, 10**18, None), tmp_path / "x.csv")


def test_every_listed_set_is_safe_or_refused_with_another_one() -> None:
    catalogue = load_catalogue()
    for name, entry in catalogue.items():
        if entry.refused is not None:
            with pytest.raises(
                FetchError, match="is not brought: .*; fetch (routerbench|embedllm)"
            ):
                find_set(name, catalogue)
        else:
            assert not any(pattern.endswith((".pkl", ".pt")) for pattern in entry.files)
            assert find_set(name, catalogue) is entry


def test_an_unknown_set_is_answered_with_the_nearest() -> None:
    with pytest.raises(FetchError, match="no set 'routerbnch'; did you mean 'routerbench'"):
        find_set("routerbnch", load_catalogue())


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ('about = "x"', "an entry is not as it should be"),
        ('revision = "main"', "revision must be a commit, got 'main'"),
        ('sha256 = {"data/a.csv" = "12"}', "sha256 must be 64 hex digits"),
    ],
)
def test_a_list_that_pins_no_commit_or_digest_is_refused(
    tmp_path: Path, entry: str, message: str
) -> None:
    base = '[x]\nabout = "x"\nrepo = "a/b"\nfiles = ["*.csv"]\nread = "long"\nlicence = "MIT"\n'
    path = tmp_path / "sets.toml"
    path.write_text(f"[x]\n{entry}\n" if entry.startswith("about") else base + entry)
    with pytest.raises(FetchError, match=message):
        load_catalogue(path)


def test_the_command_lists_brings_and_says_how_to_read(hub: Hub, tmp_path: Path) -> None:
    listed = CliRunner().invoke(data, ["fetch", "--list"])
    assert "sprout                unverified  44k prompts, 13 models" in listed.output
    hub.files = {"data/RouterBench-00000-of-00001.parquet": b"PAR1" * 100}
    args = ["fetch", "routerbench", "--out", str(tmp_path), "--endpoint", hub.url]
    refused = CliRunner().invoke(data, args)
    assert refused.exit_code == 1
    assert "Error: no sha256 of routerbench (Wikit/RoutingCompendium-perf) was" in refused.output
    done = CliRunner().invoke(data, [*args, "--trust-first-use"])
    assert done.exit_code == 0, done.output
    digest = sha256(b"PAR1" * 100)
    assert (
        f"{digest}  {tmp_path}/data/RouterBench-00000-of-00001.parquet  (first use)" in done.output
    )
    assert f"tierwise data ingest {tmp_path} --from compendium --out tables" in done.output
    by_digest = CliRunner().invoke(
        data, [*args[:3], str(tmp_path / "b"), *args[4:], "--sha256", digest.upper()]
    )
    assert "(given)" in by_digest.output
