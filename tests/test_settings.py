"""The settings table: every row through every layer, what is refused and how, what is printed."""

import copy
import pickle
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from synap.settings import ROWS, TABLE, Setting, Settings, SettingsError, explain, explain_table, load
from synap.settings.kinds import Choice, Hosts, Names, Origins, Size, Switch, Text, Whole
from synap.settings.layers import FILE_BYTES_MAX, FILE_DEPTH_MAX
from synap.settings.rows import AT_MOST, FORMER, LATER, SECTIONS

ROOT = Path(__file__).parent.parent

REPLICATION_SAMPLE = """\
server:
  host: "0.0.0.0"
  port: 15500

replication:
  enabled: true
  role: "replica"
  master_address: "master:15501"  # Master's replication port
  heartbeat_interval_ms: 1000
  auto_reconnect: true

persistence:
  enabled: true
  wal:
    enabled: true
    path: "./data/wal/synap.wal"
  snapshot:
    enabled: true
    directory: "./data/snapshots"
"""


@pytest.fixture(autouse=True)
def _empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def from_text(text: str, **environ: str) -> Settings:
    Path("some.yml").write_text(text, encoding="utf-8")
    return load("some.yml", environ)


def other(row: Setting) -> Any:
    """A value that is not the default and breaks no relation to other rows."""
    match row.kind:
        case Whole() | Size():
            return row.default + 1 if row.default < row.kind.high else row.default - 1
        case Switch():
            return not row.default
        case Choice():
            return next(word for word in row.kind.words if word != row.default)
        case Text():
            return "/some/where: else # \"quoted\" \\ ü"
        case Hosts():
            return ("127.0.0.2", "::1")
        case Names():
            return ("a.example", "b.example")
        case Origins():
            return ("https://a.example", "http://[::1]:3000", "*")


def in_yaml(name: str, text: str) -> str:
    *sections, key = name.split(".")
    lines = [f"{'  ' * depth}{section}:" for depth, section in enumerate(sections)]
    return "\n".join([*lines, f"{'  ' * len(sections)}{key}: {text}"]) + "\n"


def refused(text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        from_text(text)
    assert "\n" not in str(caught.value)
    assert not caught.value.from_flags
    return str(caught.value)


# ---- every row, every layer ----


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_a_row_round_trips_through_every_layer(row: Setting) -> None:
    value = other(row)
    text = row.write(value)
    assert row.kind.read(text) == value
    assert row.kind.read(row.write(row.default)) == row.default
    assert from_text(in_yaml(row.name, "'" + text.replace("'", "''") + "'"))[row.name] == value
    assert load(environ={row.environment: text})[row.name] == value
    assert load(environ={}, flags=[("--set", f"{row.name}={text}")])[row.name] == value
    assert Settings().replace({row.name: value})[row.name] == value
    if row.short:
        assert load(environ={row.short: text})[row.name] == value
    if row.flag:
        assert load(environ={}, flags=[(row.flag, text)])[row.name] == value


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_a_row_refuses_what_it_does_not_want(row: Setting) -> None:
    wanted = f": {row.name}: wanted {row.kind.wanted}, found "
    line = row.name.count(".") + 1
    for bad, shown in (("", "nothing"), ("~", "nothing"), ("{a: b}", "a section"), ('"a \\a"', r"'a \x07'")):
        assert refused(in_yaml(row.name, bad)) == f"some.yml line {line}{wanted}{shown}"
    for variable in filter(None, (row.environment, row.short)):
        with pytest.raises(SettingsError, match=re.escape(f"environment {variable}{wanted}'a \\x07'")):
            load(environ={variable: "a \a"})
    for flag in filter(None, (row.flag, "--set")):
        with pytest.raises(SettingsError, match=re.escape(f"{flag}{wanted}'a \\x07'")):
            load(environ={}, flags=[(flag, "a \a" if flag == row.flag else f"{row.name}=a \a")])


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_bounds_are_inclusive(row: Setting) -> None:
    if isinstance(row.kind, Whole | Size):
        for bound, beyond in ((row.kind.low, row.kind.low - 1), (row.kind.high, row.kind.high + 1)):
            assert row.kind.read(str(bound)) == bound
            with pytest.raises(ValueError):
                row.kind.read(str(beyond))
        assert row.kind.low <= row.default <= row.kind.high


def test_attributes_follow_the_names() -> None:
    settings = Settings()
    for name, row in ROWS.items():
        value: Any = settings
        for part in name.split("."):
            value = getattr(value, part)
        assert value == row.default == settings[name]
    assert list(settings) == list(ROWS)


def test_typed_access() -> None:
    settings = Settings()
    assert settings.number("server.port") == 15500
    assert settings.text("persistence.directory") == "./data"
    assert settings.switch("resp.enabled") is True
    assert settings.names("server.allowed_hosts") == ()
    with pytest.raises(AssertionError):
        settings.number("resp.enabled")


def test_settings_do_not_change() -> None:
    settings = Settings()
    with pytest.raises(AttributeError, match="do not change"):
        settings.server.port = 1
    with pytest.raises(AttributeError, match="do not change"):
        del settings.server
    with pytest.raises(AttributeError, match="no setting prot"):
        settings.server.prot  # noqa: B018
    assert settings.replace({"server.port": 1}) != settings
    assert settings.server.port == 15500
    for twin in (copy.deepcopy(settings), pickle.loads(pickle.dumps(settings)), settings.replace({})):
        assert twin == settings
        assert hash(twin) == hash(settings)
        assert twin.persistence.wal.fsync_mode == "periodic"
    assert repr(settings.replace({"server.port": 1})) == "<Settings server.port=1>"


def test_replace_checks() -> None:
    with pytest.raises(SettingsError, match=r"given: server\.port: wanted a whole number .* found True"):
        Settings().replace({"server.port": True})
    with pytest.raises(SettingsError, match=r"given: there is no setting server\.prot; did you mean"):
        Settings().replace({"server.prot": 1})
    assert Settings().replace({"limits.bulk_bytes_max": "64mb"}).limits.bulk_bytes_max == 64 << 20


# ---- layers ----


def test_precedence() -> None:
    file = "server: {port: 1, host: 127.0.0.2, connections_max: 3}\n"
    Path("config.yml").write_text(file)
    environ = {"SYNAP_SERVER__PORT": "2", "SYNAP_HOST": "127.0.0.3"}
    settings = load(environ=environ, flags=[("--port", "3")])
    server = settings.server
    assert (server.port, server.host, server.connections_max) == (3, ("127.0.0.3",), 3)
    assert settings.queue.max_depth == 100_000
    assert settings.origin("server.port") == "--port"
    assert settings.origin("server.host") == "environment SYNAP_HOST"
    assert settings.origin("server.connections_max") == "config.yml line 1"
    assert settings.origin("queue.max_depth") == "default"
    assert settings.warnings == ()


def test_which_file() -> None:
    assert load(environ={}) == Settings()
    Path("config.yml").write_text("server: {port: 1}")
    Path("b.yml").write_text("server: {port: 2}")
    Path("c.yml").write_text("server: {port: 3}")
    assert load(environ={}).server.port == 1
    assert load(environ={"SYNAP_CONFIG": "b.yml"}).server.port == 2
    assert load(Path("c.yml"), {"SYNAP_CONFIG": "b.yml"}).server.port == 3
    with pytest.raises(FileNotFoundError):
        load("missing.yml", {})
    with pytest.raises(FileNotFoundError):
        load(environ={"SYNAP_CONFIG": "missing.yml"})


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "server:\n", "{}", "\ufeffserver: {}\n"])
def test_nothing_in_a_file_is_all_default(text: str) -> None:
    settings = from_text(text)
    assert settings == Settings()
    assert settings.warnings == ()


def test_other_variables_are_left_alone() -> None:
    assert load(environ={"SYNAP_CACHE_DIR": "x", "PATH": "y", "MY_SYNAP__X": "z"}).warnings == ()


# ---- what is refused, and how ----


PORT = "server.port: wanted a whole number from 0 to 65535"


@pytest.mark.parametrize("text, message", [
    ("server:\n  port: http", f"some.yml line 2: {PORT}, found http"),
    ("server:\n  port: 010", f"some.yml line 2: {PORT}, found 010"),
    ("server:\n  port: 1__5", f"some.yml line 2: {PORT}, found 1__5"),
    ("server:\n  port: 1.5", f"some.yml line 2: {PORT}, found 1.5"),
    ("server:\n\n  port:", f"some.yml line 3: {PORT}, found nothing"),
    ("server: {port: [1]}", f"some.yml line 1: {PORT}, found a list"),
    ("server: 15500", "some.yml line 1: server: wanted lines of `key: value`, found 15500"),
    ("server: [a]", "some.yml line 1: server: wanted lines of `key: value`, found a list"),
    ("just text", "some.yml line 1: wanted lines of `key: value`, found just text"),
    ("- a", "some.yml line 1: wanted lines of `key: value`, found a list"),
    ("? [a]\n: b", "some.yml line 1: wanted a name before the colon, found a list"),
    ("resp:\n  enabled: yes", "some.yml line 2: resp.enabled: wanted true or false, found yes"),
    ("resp:\n  enabled: 1", "some.yml line 2: resp.enabled: wanted true or false, found 1"),
    ("logging: {level: loud}",
     "some.yml line 1: logging.level: wanted one of trace, debug, info, warn, error, found loud"),
    ("server: {port: 1}\nserver: {port: 2}",
     "some.yml line 2: server: wanted only the entry at some.yml line 1, found a second one"),
    ("resp3: {port: 1}\nresp: {port: 2}",
     "some.yml line 2: resp.port: wanted one value, as some.yml line 1 says 1, found 2"),
    ("persistence: {wal: {path: /logs/synap.wal}}",
     "some.yml line 1: persistence.wal.path: wanted DIRECTORY/wal/FILE, as log and snapshots share "
     "persistence.directory, found /logs/synap.wal"),
    ("persistence:\n  wal: {path: a/wal/x}\n  snapshot: {directory: b/snapshots/}",
     "some.yml line 3: persistence.directory: wanted one value, as some.yml line 2 says a, found b"),
    ("limits:\n  query_bytes_max: 1mb",
     "default: limits.bulk_bytes_max: wanted at most 1mb, which is limits.query_bytes_max (some.yml line 2), "
     "found 512mb"),
    ("resp: {port: 15500}",
     "some.yml line 1: resp.port: wanted a port other than server.port (default), found 15500"),
])
def test_refusals(text: str, message: str) -> None:
    assert refused(text) == message


@pytest.mark.parametrize("text", [
    "a: [", "a: b: c", "\tserver: {}", "a: &b c\nd: *e", "a: 1\n---\nb: 2", "a: \"\n", "server: \x00", "!!x"])
def test_what_is_no_yaml_is_refused_with_its_place(text: str) -> None:
    assert refused(text).startswith("some.yml")


def test_bytes_that_are_no_text() -> None:
    Path("some.yml").write_bytes(b"server:\n  host: \xff\n")
    with pytest.raises(SettingsError, match=r"some\.yml line 2: wanted UTF-8, found byte 0xff"):
        load("some.yml", {})


def test_a_file_has_a_limit() -> None:
    assert from_text("#" * FILE_BYTES_MAX) == Settings()
    assert "wanted at most" in refused("#" * (FILE_BYTES_MAX + 1))


class StrictLoader(yaml.SafeLoader):
    """A library with a limit of its own, which looks at all of the text before it gives out an event."""

    def __init__(self, stream: Any) -> None:
        if max(map(stream.count, "[{")) > 100 or stream.count("- ") > 100:
            raise yaml.MarkedYAMLError("while looking ahead", None, "this is too deep for us")
        super().__init__(stream)


@pytest.mark.parametrize("loader", [yaml.CSafeLoader, yaml.SafeLoader, StrictLoader])
def test_a_file_is_not_deep(monkeypatch: pytest.MonkeyPatch, loader: Any) -> None:
    """Our limit is told in our words, also where the library has a limit and refuses first."""
    monkeypatch.setattr(yaml, "CSafeLoader", loader)
    deep = FILE_DEPTH_MAX - 1
    assert from_text("zzz:\n  " + "[" * deep + "]" * deep).warnings
    for text in ("[" * (deep + 1) + "]" * (deep + 1), "[" * 20_000, "- " * 20_000, "{a: " * 10_000,
                 "[" * 1500 + "]" * 1500, "[" * 1500 + "\n%", '["]", ' + "'['," + "[" * 1500):
        assert refused("zzz:\n  " + text) == f"some.yml line 2: wanted at most {FILE_DEPTH_MAX} levels, found more"
    assert refused("zzz: &a [*b]").startswith("some.yml line 1: wanted YAML: found undefined alias")
    assert "levels" not in refused("zzz: @\n" + "[" * 60) and "levels" not in refused("zzz: [[[")


def test_a_long_or_odd_value_is_shown_short() -> None:
    assert refused(f"server: {{port: {'9' * 5000}}}").endswith(f"found {'9' * 59}…")
    assert refused('server: {port: "\\n\\a"}').endswith(r"found '\n\x07'")


@pytest.mark.parametrize("flags, message", [
    ([("--port", "x")], f"--port: {PORT}, found x"),
    ([("--set", "server.port")], "--set: wanted section.key=value, found server.port"),
    ([("--set", "server.prot=1")], "--set: there is no setting server.prot; did you mean server.port?"),
    ([("--set", "server=1")], "--set: there is no setting server, which is a section"),
    ([("--port", "1"), ("--set", "server.port=2")],
     "--set: server.port: wanted one value, as --port says 1, found 2"),
    ([("--resp-port", "15500")],
     "--resp-port: resp.port: wanted a port other than server.port (default), found 15500"),
])
def test_flags_are_refused(flags: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(environ={}, flags=flags)
    assert str(caught.value) == message
    assert caught.value.from_flags


@pytest.mark.parametrize("text, value", [
    ("64mb", 64 << 20), ("64MB", 64 << 20), ("64 mb", 64 << 20), ("2048", 2048), ("2048b", 2048),
    ("1_024", 1024)])
def test_sizes(text: str, value: int) -> None:
    assert from_text(f"limits: {{bulk_bytes_max: {text}}}").limits.bulk_bytes_max == value
    assert from_text("kv_store: {max_memory_mb: 512}").kv_store.max_memory_mb == 512
    assert from_text("kv_store: {max_memory_mb: 2gb}").kv_store.max_memory_mb == 2048
    assert "found 1kb" in refused("kv_store: {max_memory_mb: 1kb}")


@pytest.mark.parametrize("text", ["64 m", "1.5gb", "-1", "mb", "64mib", "1e6", "0x400", "2tb", "1 000"])
def test_what_is_no_size(text: str) -> None:
    assert refused(f"limits: {{bulk_bytes_max: {text}}}").endswith(f"found {text}")


@given(st.integers(1024, 1 << 40))
def test_a_size_reads_back(value: int) -> None:
    kind = Size(1024, 1 << 40)
    assert kind.read(kind.write(value)) == value


def test_resp_listens() -> None:
    assert Settings().resp_listens
    assert not load(environ={}, flags=[("--resp-port", "0")]).resp_listens
    assert not Settings().replace({"resp.enabled": False}).resp_listens
    assert Settings().replace({"resp.port": -1}).resp_listens
    assert Settings().replace({"resp.port": 15500, "resp.host": "127.0.0.2"}).resp_listens


@pytest.mark.parametrize("http, resp, refused", [
    ("127.0.0.1", "127.0.0.2", False), ("127.0.0.1,::1", "127.0.0.2", False), ("::1", "127.0.0.1", False),
    ("127.0.0.1,::1", "::1", True), ("127.0.0.1", "127.0.0.2,127.0.0.1", True), ("::", "127.0.0.1", True),
    ("::1", "127.0.0.2,0.0.0.0", True),
])  # fmt: skip
def test_listeners_in_one_place_need_two_ports(http: str, resp: str, refused: bool) -> None:
    values = {"resp.port": 15500, "server.host": http, "resp.host": resp}
    if refused:
        with pytest.raises(SettingsError, match=r"a port other than server\.port"):
            Settings().replace(values)
    else:
        assert Settings().replace(values).resp_listens


@pytest.mark.parametrize("text, hosts", [
    ('"::"', ("::",)), ("::1", ("::1",)), ("127.0.0.1", ("127.0.0.1",)), ('"127.0.0.1,::1"', ("127.0.0.1", "::1")),
    ("127.0.0.1, ::1", ("127.0.0.1", "::1")), ('[127.0.0.1, "::1"]', ("127.0.0.1", "::1")),
    ('["::"]', ("::",)), ("\n  - localhost\n  - ::1", ("localhost", "::1")), ('"[::1],[::]"', ("::1", "::")),
    ("fe80::1%eth0", ("fe80::1%eth0",)), ("[a, b, a]", ("a", "b")),
])  # fmt: skip
def test_hosts_in_a_file(text: str, hosts: tuple[str, ...]) -> None:
    for section in ("server", "resp"):
        settings = from_text(f"{section}:\n  host: {text}\n")
        assert settings[f"{section}.host"] == hosts
        assert from_text(explain(settings)) == settings


@pytest.mark.parametrize("text", [
    "[]", '""', '"a,"', '",a"', "[[a]]", '["a b"]', "http://a", '"[a]"', '"[::1"', '"[::1]:80"', "{a: b}"])
def test_what_is_no_host_in_a_file(text: str) -> None:
    assert refused(f"server:\n  host: {text}\n").startswith("some.yml line 2")


def test_hosts_elsewhere() -> None:
    wanted = ("127.0.0.1", "::1", "localhost")
    for settings in (
        load(environ={"SYNAP_HOST": "127.0.0.1,::1,localhost"}),
        load(environ={"SYNAP_SERVER__HOST": "127.0.0.1, [::1], localhost"}),
        load(environ={}, flags=[("--host", "127.0.0.1"), ("--port", "1"), ("--host", "::1,localhost")]),
        load(environ={}, flags=[("--set", "server.host=127.0.0.1,::1,localhost")]),
        Settings().replace({"server.host": wanted}), Settings().replace({"server.host": list(wanted)}),
    ):  # fmt: skip
        assert settings.names("server.host") == wanted
    with pytest.raises(SettingsError, match=r"--port: server\.port: wanted one value, as --port says 1, found 2"):
        load(environ={}, flags=[("--port", "1"), ("--port", "2")])
    warned = load(environ={}, flags=[("--host", "::1"), ("--host", "::"), ("--host", "10.1.1.1")]).warnings
    told = [line.split(" accepts")[0] for line in warned]
    assert told == ["--host: server.host: ::", "--host: server.host: 10.1.1.1"]


def test_memory() -> None:
    assert Settings().memory_bytes_max == 4096 << 20
    assert Settings().replace({"kv_store.max_memory_mb": 0}).memory_bytes_max > 1 << 26


def test_open_listeners_are_reported() -> None:
    for host in ("127.0.0.1", "127.1.2.3", "::1", "localhost"):
        assert Settings().replace({"server.host": host}).warnings == ()
    settings = load(environ={}, flags=[("--host", "0.0.0.0")])
    assert settings.warnings == (
        "--host: server.host: 0.0.0.0 accepts connections from other machines, "
        "and clients need no password",)
    assert settings.replace({"server.host": "127.0.0.1"}).warnings == ()


# ---- names of other versions ----


def test_the_replication_sample_loads() -> None:
    settings = from_text(REPLICATION_SAMPLE)
    assert settings.server.host == ("0.0.0.0",)
    assert settings == Settings().replace({"server.host": "0.0.0.0"})
    assert settings.warnings == (
        "some.yml line 5: replication has no effect: not in this version: a node has no replicas and no cluster",
        "some.yml line 16: persistence.wal.path is read as persistence.directory",
        "some.yml line 19: persistence.snapshot.directory is read as persistence.directory",
        "some.yml line 2: server.host: 0.0.0.0 accepts connections from other machines, "
        "and clients need no password",
    )


def test_data_stays_where_an_older_file_put_it() -> None:
    older = "persistence: {wal: {path: /data/wal/synap.wal}, snapshot: {directory: /data/snapshots}}"
    assert from_text(older).persistence.directory == "/data"
    assert from_text(older, SYNAP_PERSISTENCE__DIRECTORY="/other").persistence.directory == "/other"
    assert from_text("persistence: {wal: {path: wal/synap.wal}}").persistence.directory == "."


@pytest.mark.parametrize("text, start", [
    ("srever: {port: 1}", "some.yml line 1: there is no setting srever; did you mean server?"),
    ("server:\n  prot: 1", "some.yml line 2: there is no setting server.prot; did you mean server.port?"),
    ("qqqq: 1", "some.yml line 1: there is no setting qqqq"),
    ("queue: {enabled: true}", "some.yml line 1: queue.enabled has no effect: "),
    ("queue: {enabled: [a]}", "some.yml line 1: queue.enabled has no effect: "),
    ("kv_store: {max_value_size_bytes: null}", "some.yml line 1: kv_store.max_value_size_bytes has no value and no"),
])
def test_unknown_names_warn(text: str, start: str) -> None:
    settings = from_text(text)
    assert settings == Settings()
    assert len(settings.warnings) == 1
    assert settings.warnings[0].startswith(start)


@pytest.mark.parametrize("variable, start", [
    ("SYNAP_SERVER__PROT", "there is no setting server.prot; did you mean server.port?"),
    ("SYNAP_REPLICATION__ROLE", "replication.role has no effect"),
    ("SYNAP_SERVER_PORT", " has no effect; did you mean SYNAP_SERVER__PORT?"),
    ("SYNAP_ROLE", ""), ("SYNAP_MASTER_ADDRESS", ""), ("SYNAP_AUTH_REQUIRE_AUTH", "")])
def test_unknown_variables_warn(variable: str, start: str) -> None:
    (warning,) = load(environ={variable: "x"}).warnings
    between = "" if start.startswith(" ") else ": " if start else " has no effect: "
    assert warning.startswith(f"environment {variable}{between}{start}")


def test_variables_that_are_not_ours() -> None:
    others = ("SYNAP_CONFIG_DIR", "SYNAP_CACHE_DIR", "SYNAP_HEALTH_ADDR", "SYNAP_PORT_15500_TCP", "SYNAP_SERVICE_HOST")
    assert load(environ=dict.fromkeys(others, "x")).warnings == ()


@pytest.mark.parametrize("text, policy", [
    ("noeviction", "noeviction"), ("allkeys-lru", "allkeys-lru"), ("volatile-lru", "volatile-lru"),
    ("allkeys-lfu", "allkeys-lfu"), ("volatile-lfu", "volatile-lfu"), ("allkeys-random", "allkeys-random"),
    ("volatile-random", "volatile-random"), ("volatile-ttl", "volatile-ttl"),
    ("none", "noeviction"), ("lru", "allkeys-lru"), ("lfu", "allkeys-lfu"), ("ttl", "volatile-ttl"),
])
def test_both_families_of_eviction_policies(text: str, policy: str) -> None:
    settings = from_text(f"kv_store: {{eviction_policy: {text}}}")
    assert settings.text("kv_store.eviction_policy") == policy
    assert settings.warnings == ()
    assert load(environ={"SYNAP_KV_STORE__EVICTION_POLICY": text})["kv_store.eviction_policy"] == policy


def test_an_eviction_policy_that_is_none() -> None:
    told = refused("kv_store:\n  eviction_policy: random\n")
    assert told.startswith("some.yml line 2: kv_store.eviction_policy: wanted one of noeviction, allkeys-lru, ")
    assert told.endswith("; lru is allkeys-lru; lfu is allkeys-lfu; ttl is volatile-ttl, found random")


def test_the_longest_value_has_an_older_name() -> None:
    assert from_text("kv_store: {max_value_size_bytes: 1mb}").limits.bulk_bytes_max == 1 << 20


def test_former_names_are_consistent() -> None:
    assert not FORMER.keys() & ROWS.keys()
    assert not LATER.keys() & SECTIONS
    for former in FORMER.values():
        assert bool(former.note) != bool(former.to)
        assert former.to in ROWS or not former.to
        assert former.name.rpartition(".")[0] in SECTIONS
    assert {name for pair in AT_MOST for name in pair} <= ROWS.keys()
    for section in LATER:
        (warning,) = from_text(f"{section}: {{enabled: true, a: {{b: [c]}}}}").warnings
        assert "not in this version" in warning


# ---- what the table prints ----


def test_config_yml_is_fresh_and_loads_to_the_defaults() -> None:
    path = ROOT / "config.yml"
    assert path.read_text(encoding="utf-8") == explain(), "make it afresh: synap config > config.yml"
    settings = load(path, {})
    assert settings == Settings()
    assert settings.warnings == ()
    assert all(settings.origin(name).startswith(str(path)) for name in ROWS)


def test_all_settings_written_and_read_again_are_the_same() -> None:
    changed = Settings().replace({row.name: other(row) for row in TABLE if row.name != "resp.host"})
    assert all(changed[row.name] != row.default for row in TABLE if row.name != "resp.host")
    assert from_text(explain(changed)) == changed


@given(st.text(min_size=1).filter(lambda text: text == text.strip() and text.isprintable()))
@example("NULL")
def test_any_path_reads_back(text: str) -> None:
    settings = Settings().replace({"persistence.directory": text})
    assert from_text(explain(settings)).persistence.directory == text


def test_the_docs_are_fresh() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- Generated by `synap config --mark.*?-->\n\n(.*?)\n<!-- End", text, re.DOTALL)
    assert found is not None
    assert found[1] == explain_table(), "put in again what `synap config --markdown` prints"
    for row in TABLE:
        assert f"`{row.name}`" in found[1]
        assert row.environment in found[1]


def test_the_samples_in_the_docs_load() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    samples = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert samples
    for sample in samples:
        settings = from_text(sample)
        assert settings != Settings()
        assert settings.warnings == ()
    (refusal,) = re.findall(r"```text\n(.*?)\n```", text, re.DOTALL)
    Path("config.yml").write_text("server:\n\n  port: http\n")
    with pytest.raises(SettingsError, match=re.escape(refusal)):
        load(environ={})


# ---- that each row is for something ----


def test_every_row_is_read_somewhere() -> None:
    """By its name, or by its last part as an attribute or as the argument of a reader of its section."""
    files = set((ROOT / "synap").rglob("*.py")) - {ROOT / "synap" / "settings" / "rows.py"}
    everything = "\n".join(path.read_text(encoding="utf-8") for path in files)
    unread = []
    for row in TABLE:
        section, _, last = row.name.rpartition(".")
        ways = [f'"{row.name}"', f"{section.rpartition('.')[2]}.{last}"]
        if not any(way in everything for way in ways):
            unread.append(row.name)
    assert not unread
