"""Every declared option, set well and badly in each way; the example file; cluster names; dates."""

from __future__ import annotations

import datetime as dt
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import ValidationError

from models.engines import ENGINES
from pipelines.arguments import cluster_name, night, nights
from pipelines.config import FLAGS, SECTIONS, ClusterConfig, Config, config_hash
from pipelines.config_example import SAMPLE_CLUSTER, example_toml
from pipelines.config_load import load
from pipelines.declared import describe, environment_name, expected_of, field_of, flag_name, options
from pipelines.errors import ConfigError, Exit

EXAMPLE = Path(__file__).parents[2] / "auditforest.example.toml"
TODAY = dt.date(2026, 9, 16)
OPTIONS = [option.replace("NAME", "prod-usw2") for option in options()]
WORDS = {
    "forest.engine": ("rrcf", "compiled", "rrcf"),
    "parse.memory_limit": ("2GB", "512MB", "64GB"),
    "features.sql": ("spark", "duckdb", "spark"),
    "features.spark_memory": ("4GB", "512MB", "64GB"),
    "features.spark_staging": ("s3://acme-audit-staging/spark", "/mnt/shared/ünï", "build/x"),
    "aws.region": ("us-west-2", "eu-central-1", "ap-south-1"),
    "aws.endpoint": ("http://127.0.0.1:9000", "https://localhost:1", "http://[::1]:65535"),
    "aws.kms_key": ("alias/auditforest", "1234abcd-12ab", "arn:aws:kms:us-west-2:123456789012:key/1a"),
    "export.bulk_destination": ("s3://acme-exports/bulk", "s3://acme", "s3://a.b/c/"),
    "clusters.prod-usw2.region": ("us-west-2", "eu-central-1", "ap-south-1"),
    "clusters.prod-usw2.log_group": ("/aws/eks/a/cluster", "x", "/a/b"),
    "clusters.prod-usw2.role_arn": (
        "arn:aws:iam::123456789012:role/a",
        "arn:aws-cn:iam::123456789012:role/b/c",
        "arn:aws:iam::000000000000:role/d",
    ),
    "clusters.prod-usw2.external_id": ("ab", "a:b/c", "x-1"),
    "clusters.prod-usw2.source_bucket_owner": ("123456789012", "000000000000", "012345678901"),
    "aws.expected_bucket_owner": ("123456789012", "000000000000", "012345678901"),
    "clusters.prod-usw2.source": ("data/sample", "s3://acme-audit/x", "cloudwatch"),
    "clusters.prod-usw2.archive": ("build/demo", "s3://acme-archive", "/var/lib/ünï ?x"),
}


@pytest.fixture(autouse=True)
def _nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.upper().startswith("AUDITFOREST_")]:
        monkeypatch.delenv(name)


def toml(option: str, value: object) -> str:
    section, _, key = option.rpartition(".")
    shown = f"'{value}'" if isinstance(value, str) else value
    return f"[{section}]\n{key} = {shown}\n"


def write(text: str, path: str = "auditforest.toml") -> Path:
    Path(path).write_text(text, encoding="utf-8")
    return Path(path)


def value_of(config: Config, option: str) -> object:
    found: object = config.model_dump()
    for part in option.split("."):
        assert isinstance(found, dict)
        found = found.get(part)
        if found is None:
            return None
    return found


def three_values(option: str) -> tuple[object, object, object]:
    return WORDS.get(option, (3, 4, 5))


def refused(flags: Mapping[str, object] | None = None, path: Path | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, flags or {})
    message = str(caught.value)
    assert caught.value.exit_code == Exit.USAGE
    assert message.isprintable(), "one line"
    assert len(message) < 500
    return message


@pytest.mark.parametrize("option", OPTIONS)
def test_default_file_environment_flag_the_later_wins(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    in_file, in_environment, in_flag = three_values(option)
    assert value_of(load(None, {}), option) == describe(option).default
    write(toml(option, in_file))
    assert value_of(load(None, {}), option) == in_file
    monkeypatch.setenv(environment_name(option), str(in_environment))
    assert value_of(load(None, {option: None}), option) == in_environment
    assert value_of(load(None, {option: in_flag}), option) == in_flag


@pytest.mark.parametrize("option", OPTIONS)
def test_environment_and_flag_each_set_an_option_without_a_file(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, in_environment, in_flag = three_values(option)
    assert value_of(load(None, {option: in_flag}), option) == in_flag
    monkeypatch.setenv(environment_name(option), str(in_environment))
    assert value_of(load(None, {}), option) == in_environment


@pytest.mark.parametrize("option", OPTIONS)
def test_setting_one_option_leaves_every_other_as_it_was(option: str) -> None:
    config = load(None, {option: three_values(option)[0]})
    others = [other for other in OPTIONS if other != option]
    assert [value_of(config, other) for other in others] == [describe(other).default for other in others]


def test_layers_set_keys_of_one_table_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    write("[forest]\ntrees = 7\n[clusters.one]\nsource = 'a'\n[clusters.Two]\nsource = 'b'\n")
    monkeypatch.setenv("AUDITFOREST_FOREST__SAMPLE_SIZE", "8")
    monkeypatch.setenv("AUDITFOREST_CLUSTERS__Two__ARCHIVE", "c")
    config = load(None, {"forest.seed": 9, "clusters.one.source": "d", "clusters.one.archive": "e"})
    assert (config.forest.trees, config.forest.sample_size, config.forest.seed) == (7, 8, 9)
    assert config.clusters == {
        "one": ClusterConfig(source="d", archive="e"),
        "Two": ClusterConfig(source="b", archive="c"),
    }


@pytest.mark.parametrize("option", [o for o in OPTIONS if describe(o).type is int and "from 0" in expected_of(o)])
def test_a_zero_is_a_value_in_every_layer(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write(toml(option, 5))
    assert value_of(load(None, {option: 0}), option) == 0
    monkeypatch.setenv(environment_name(option), "0")
    assert value_of(load(None, {}), option) == 0
    monkeypatch.delenv(environment_name(option))
    write(toml(option, 0))
    assert value_of(load(None, {}), option) == 0


@pytest.mark.parametrize("option", OPTIONS)
def test_an_empty_value_is_refused_where_it_stands_and_not_taken_for_unset(
    option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = write(toml(option, three_values(option)[0]))
    assert f"{flag_name(option) or option}: found '', expected {expected_of(option)}" in refused({option: ""})
    monkeypatch.setenv(environment_name(option), "")
    assert refused() == f"{environment_name(option)}: found '', expected {expected_of(option)}"
    monkeypatch.delenv(environment_name(option))
    good.write_text(toml(option, ""), encoding="utf-8")
    assert refused() == f"auditforest.toml: {option}: found '', expected {expected_of(option)}"


def test_an_empty_file_and_an_empty_cluster_are_kept() -> None:
    assert load(write("", "empty.toml"), {}) == Config()
    assert load(write("[clusters.quiet]\n"), {}).clusters == {"quiet": ClusterConfig()}


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("bad", [True, 1.5, [1], {"a": 1}, -1, 10**15, "secret\nline"], ids=repr)
def test_an_unfit_value_names_layer_key_found_and_expected(option: str, bad: object) -> None:
    found = {"[1]": "a list", "{'a': 1}": "a table"}.get(repr(bad), repr(bad))
    assert f": found {found}, expected {expected_of(option)}" in refused({option: bad})
    written = {"True": "true", "{'a': 1}": "{ a = 1 }", r"'secret\nline'": r'"secret\nline"'}
    section, _, key = option.rpartition(".")
    path = write(f"[{section}]\n{key} = {written.get(repr(bad), repr(bad))}\n", "my.toml")
    assert refused(path=path) == f"my.toml: {option}: found {found}, expected {expected_of(option)}"


@pytest.mark.parametrize("option", [o for o in OPTIONS if describe(o).type is int])
@pytest.mark.parametrize("text", ["ten", "1.0", "true", " 3", "0x10", "٣", "9" * 5000])
def test_a_variable_that_is_no_whole_number_in_range_is_refused(
    option: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(environment_name(option), text)
    assert refused().startswith(f"{environment_name(option)}: found '{text[:5]}")


def test_a_number_written_as_text_in_the_file_is_refused() -> None:
    write('[forest]\ntrees = "100"\n')
    assert refused() == "auditforest.toml: forest.trees: found '100', expected a whole number from 1 to 10000"


def test_a_number_too_long_to_print_is_refused_all_the_same() -> None:
    write(f"[forest]\ntrees = 0x{'f' * 5000}\n")
    assert refused().startswith("auditforest.toml: forest.trees: found a number of 20000 bits, expected")


def test_a_flag_is_named_as_it_is_typed() -> None:
    assert refused({"forest.seed": -1}).startswith("--seed: found -1, expected")


def test_a_bad_value_is_refused_even_where_a_flag_hides_it() -> None:
    write("forest = 3\n")
    assert refused({"forest.trees": 5}) == "auditforest.toml: forest: found 3, expected a table [forest]"
    write("[clusters]\nprod = 'x'\n")
    assert refused() == "auditforest.toml: clusters.prod: found 'x', expected a table [clusters.prod]"


def test_a_key_of_a_cluster_beside_the_clusters_is_told_where_it_belongs() -> None:
    write("[clusters]\nsource = 'x'\n")
    expected = "a table [clusters.NAME] with source in it"
    assert refused() == f"auditforest.toml: clusters.source: found 'x', expected {expected}"


def test_all_mistakes_of_all_layers_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    write("[forest]\ntres = 1\nseed = -1\n")
    monkeypatch.setenv("AUDITFOREST_AWS__REGOIN", "x")
    monkeypatch.setenv("AUDITFOREST_FOREST__SEED", "two")
    said = refused({"forest.trees": 0})
    assert said.startswith("5 mistakes: (1) auditforest.toml: forest.")
    for mistake in (
        "auditforest.toml: forest.tres: unknown key; nearest known key: forest.trees",
        "auditforest.toml: forest.seed: found -1, expected a whole number",
        ") AUDITFOREST_AWS__REGOIN: unknown environment variable; nearest known: AUDITFOREST_AWS__REGION",
        ") AUDITFOREST_FOREST__SEED: found 'two', expected a whole number",
        ") --trees: found 0, expected a whole number",
    ):
        assert mistake in said


def test_of_very_many_mistakes_the_first_are_told() -> None:
    write("[clusters]\n" + "".join(f"c{n} = 1\n" for n in range(30)))
    with pytest.raises(ConfigError, match=r"^30 mistakes: \(1\) .*\(10\) [^(]*; and 20 more$"):
        load(None, {})


@pytest.mark.parametrize(
    ("text", "key", "nearest"),
    [
        ("[forest]\ntres = 1", "forest.tres", "forest.trees"),
        ("[Forest]\ntrees = 1", "Forest", "forest"),
        ("trees = 1", "trees", "forest.trees"),
        ("[aws]\nthreads = 1", "aws.threads", "parse.threads"),
        ("[clusters.prod]\nsorce = 'x'", "clusters.prod.sorce", "clusters.prod.source"),
        ("[forests]\ntrees = 1", "forests", "forest"),
        ('[forest]\n"a\\nb" = 1', r"'forest.a\nb'", "forest."),
    ],
    ids=["misspelt", "case", "no table", "wrong table", "in a cluster", "table", "hostile"],
)
def test_an_unknown_key_names_file_key_and_the_nearest_known(text: str, key: str, nearest: str) -> None:
    write(text)
    assert refused().startswith(f"auditforest.toml: {key}: unknown key; nearest known key: {nearest}")


@pytest.mark.parametrize("option", ["forest.tres", "forest", "", "clusters.prod.sorce"])
def test_an_unknown_flag_target_is_refused_even_unset(option: str) -> None:
    assert "unknown option; nearest known key: " in refused({option: None})


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("AUDITFOREST_FOREST__TREE", "AUDITFOREST_FOREST__TREES"),
        ("AUDITFOREST_FOREST_TREES", "AUDITFOREST_FOREST__TREES"),
        ("auditforest_forest__trees", "AUDITFOREST_FOREST__TREES"),
        ("AUDITFOREST_FOREST", "AUDITFOREST_FOREST__SEED"),
        ("AUDITFOREST_CLUSTERS__prod__SORCE", "AUDITFOREST_CLUSTERS__NAME__SOURCE"),
        ("AUDITFOREST_CLUSTERS", "AUDITFOREST_CLUSTERS__NAME__"),
        ("AUDITFOREST_", "AUDITFOREST_"),
    ],
)
def test_an_unknown_variable_is_refused(name: str, nearest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "3")
    assert refused().startswith(f"{name}: unknown environment variable; nearest known: {nearest}")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"[forest]\n\ntrees 3\n", 3),
        (b"[forest]\ntrees = [1,\n", 2),
        (b"[forest]\n# \xff\ntrees = 1\n", 2),
        (b"[forest]\ntrees = 1\ntrees = 2\n", 3),
        (b"a = " + b"[" * 5000, 1),
    ],
    ids=["no equals sign", "cut off", "not UTF-8", "twice", "too deep"],
)
def test_a_syntax_error_names_file_and_line(content: bytes, line: int) -> None:
    Path("auditforest.toml").write_bytes(content)
    assert refused().startswith(f"auditforest.toml: line {line}: ")


def test_a_named_file_must_be_there_and_be_a_file(tmp_path: Path) -> None:
    assert refused(path=Path("gone.toml")).startswith("gone.toml: no such file")
    assert refused(path=tmp_path).startswith(f"{tmp_path}: not a file")
    assert refused(path=Path("a\nb")).startswith(r"'a\nb': no such file")
    assert "cannot be read" in refused(path=Path("x" * 300))


def test_only_the_default_file_may_be_missing_but_not_dangle() -> None:
    assert load(None, {}) == Config()
    Path("auditforest.toml").symlink_to("gone")
    assert refused().startswith("auditforest.toml: no such file")


def test_a_named_file_replaces_the_default_one() -> None:
    write("[forest]\ntrees = 1\nseed = 1\n")
    config = load(write("[forest]\ntrees = 2\n", "mine.toml"), {})
    assert (config.forest.trees, config.forest.seed) == (2, 0)


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1:9000",
        "http://127.0.0.300:9000",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://[2001:db8::1]:9000",
        "http://169.254.169.254",
        "http://0.0.0.0:9000",
        "ftp://127.0.0.1",
        "127.0.0.1:9000",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:9000/path",
        "http://127.0.0.1:9000\n",
        "http://localhost@evil.example",
    ],
)
def test_an_endpoint_off_this_machine_is_refused(url: str) -> None:
    assert "expected http:// or https://, a loopback address" in refused({"aws.endpoint": url})


def test_credentials_in_an_address_are_not_repeated() -> None:
    message = refused({"aws.endpoint": "http://key:hun/ter2@127.0.0.1:9000/?X-Amz-Signature=hunter2"})
    assert "hun" not in message
    assert "found 'http://...@127.0.0.1:9000/?...'" in message


@pytest.mark.parametrize("text", ["0GB", "1gb", "1 GB", "1GB\n", "-1GB", "1.5GB", "1TB", "GB", "9999999GB", "80%"])
def test_a_memory_limit_duckdb_would_stumble_over_is_refused(text: str) -> None:
    assert "followed by MB or GB" in refused({"parse.memory_limit": text})


@pytest.mark.parametrize("text", ["12345678901", "1234567890123", "\N{ARABIC-INDIC DIGIT ONE}" * 12, "acme"])
def test_a_bucket_owner_is_twelve_digits(text: str) -> None:
    assert "12 digits" in refused({"aws.expected_bucket_owner": text})


HOSTILE = ["", "../x", "a" * 101, "x\n", "-a", "_a", "ünï", "a/b", "x y", "a.b", "..", "x\x00", "٣", "\ud800"]


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_hostile_cluster_name_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError) as caught:
        cluster_name(name)
    assert str(caught.value).isprintable()
    assert str(caught.value).startswith("cluster name '")
    assert len(str(caught.value)) < 200
    assert "clusters: cluster name '" in refused({f"clusters.{name}.source": "x"})
    with pytest.raises(ValidationError):
        Config(clusters={name: ClusterConfig()})
    if "\x00" not in name and "\ud800" not in name:
        escaped = name.replace("\n", "\\n")
        path = write(f'[clusters."{escaped}"]\n', "c.toml")
        assert refused(path=path).startswith("c.toml: clusters: cluster name '")
    if name and "\x00" not in name and "\ud800" not in name:
        monkeypatch.setenv(f"AUDITFOREST_CLUSTERS__{name}__SOURCE", "x")
        assert ": cluster name '" in refused()


@pytest.mark.parametrize("name", ["a", "0", "a" * 100, "prod-usw2", "A_b-c", "a__b", "NAME", "aNAME"])
def test_a_good_cluster_name_passes_in_every_layer(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cluster_name(name) == name
    assert list(load(None, {f"clusters.{name}.source": "x"}).clusters) == [name]
    write(f"[clusters.{name}]\n")
    assert list(load(None, {}).clusters) == [name]
    monkeypatch.setenv(f"AUDITFOREST_CLUSTERS__{name}__SOURCE", "x")
    assert load(None, {}).clusters == {name: ClusterConfig(source="x")}


def test_every_option_says_what_it_is_and_what_it_takes() -> None:
    for option in OPTIONS:
        description, default, kind = describe(option)
        assert re.fullmatch(r"[A-Z].*\.", description), option
        assert default is None or isinstance(default, kind), option
        assert expected_of(option) not in ("", "text"), option


def test_every_flag_sets_a_declared_option_of_its_own() -> None:
    assert all(target in OPTIONS for target in FLAGS.values())
    assert len(set(FLAGS.values())) == len(FLAGS)
    assert [flag_name(target) for target in FLAGS.values()] == list(FLAGS)


def test_every_section_of_the_configuration_is_declared() -> None:
    assert {section.partition(".")[0] for section in SECTIONS} == set(Config.model_fields)


def test_a_configuration_cannot_be_changed_or_misspelt() -> None:
    for part in (Config(), *(model() for model in SECTIONS.values())):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(part, next(iter(type(part).model_fields)), None)
        with pytest.raises(ValidationError, match="extra_forbidden"):
            type(part)(unheard_of=1)


def test_a_configuration_made_by_hand_reads_neither_environment_nor_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write("[forest]\ntrees = 7\n")
    monkeypatch.setenv("AUDITFOREST_FOREST__SEED", "8")
    assert Config() == Config.model_validate({})
    assert (Config().forest.trees, Config().forest.seed) == (300, 0)


def test_the_committed_example_is_the_generated_one() -> None:
    made = "run: python -m pipelines.config_example > auditforest.example.toml"
    assert EXAMPLE.read_text(encoding="utf-8") == example_toml(), made


def test_the_example_loads_as_the_defaults_and_one_cluster() -> None:
    config = load(EXAMPLE, {})
    assert config.model_copy(update={"clusters": {}}) == Config()
    assert config.clusters == {SAMPLE_CLUSTER: ClusterConfig(source="data/sample", archive="build/demo")}


def test_the_example_with_every_line_in_force_sets_every_option() -> None:
    text = re.sub(r"(?m)^# ([a-z0-9_]+ = )", r"\1", example_toml())
    config = load(write(text), {})
    written = tomllib.loads(text)
    assert config.model_dump() == written
    assert None not in [value_of(config, option) for option in OPTIONS]


@pytest.mark.parametrize("option", OPTIONS)
def test_the_example_tells_all_of_an_option(option: str) -> None:
    said = [describe(option).description, expected_of(option), environment_name(option)]
    assert all(words in example_toml() for words in [*said, flag_name(option) or ""])
    assert field_of(option).examples


def test_the_hash_follows_the_values_and_not_their_origin() -> None:
    plain = config_hash(Config())
    assert re.fullmatch("[0-9a-f]{64}", plain)
    assert config_hash(load(None, {"forest.trees": 300})) == plain
    hashes = {config_hash(load(None, {option: three_values(option)[0]})) for option in OPTIONS}
    assert len(hashes | {plain}) == len(OPTIONS) + 1
    one, two = {"a": ClusterConfig(), "b": ClusterConfig()}, {"b": ClusterConfig(), "a": ClusterConfig()}
    assert config_hash(Config(clusters=one)) == config_hash(Config(clusters=two))


@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, "2026-09-15"), ("2026-09-15", "2026-09-15"), ("2026-09-16", "2026-09-16"), ("2024-02-29", "2024-02-29")],
    ids=["yesterday", "given", "today, unfinished", "leap day"],
)
def test_the_night_is_the_one_given_or_yesterday(text: str | None, expected: str) -> None:
    assert night(text, TODAY) == dt.date.fromisoformat(expected)
    assert nights(text, None, None, TODAY) == [dt.date.fromisoformat(expected)]


@pytest.mark.parametrize(
    "text",
    ["", "20260915", "2026-W37-2", "2026-9-15", "2025-02-29", "2026-13-01", "0000-01-01", "2026-09-15\n",
     "2026-09-15T00:00:00", "٢٠٢٦-09-15", "yesterday", "2026-09-15 ", "\x1b[2J", "9" * 5000],
    ids=ascii,
)  # fmt: skip
def test_what_is_no_date_is_refused(text: str) -> None:
    calls = [(text, None, None), (None, text, None), (None, text, "2026-09-15"), (None, "2026-09-01", text)]
    for call, flag in zip(calls, ["--date", "--from", "--from", "--to"], strict=True):
        with pytest.raises(ConfigError) as caught:
            nights(*call, TODAY)
        assert str(caught.value).startswith(f"{flag} '")
        form = re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text)
        said = "no day of the calendar; expected one, as YYYY-MM-DD" if form else "expected a date as YYYY-MM-DD"
        assert str(caught.value).endswith(f"': {said}") or len(text) > 60
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("from_", "to", "first", "last", "count"),
    [
        ("2026-09-13", "2026-09-15", "2026-09-13", "2026-09-15", 3),
        ("2026-09-13", None, "2026-09-13", "2026-09-15", 3),
        ("2026-09-15", "2026-09-15", "2026-09-15", "2026-09-15", 1),
        ("2026-09-15", "2026-09-16", "2026-09-15", "2026-09-16", 2),
        ("2026-09-15", None, "2026-09-15", "2026-09-15", 1),
        ("2024-02-28", "2024-03-01", "2024-02-28", "2024-03-01", 3),
    ],
    ids=["to is inclusive", "from alone ends yesterday", "one", "up to today", "yesterday alone", "leap day"],
)
def test_a_range_of_nights(from_: str, to: str | None, first: str, last: str, count: int) -> None:
    found = nights(None, from_, to, TODAY)
    assert (str(found[0]), str(found[-1]), len(found)) == (first, last, count)
    assert found == sorted(set(found))


@pytest.mark.parametrize(
    ("date", "from_", "to", "says"),
    [
        ("2026-09-01", "2026-09-01", None, "--date together with --from"),
        ("2026-09-01", None, "2026-09-01", "--date together with --from or --to"),
        ("2026-09-01", "2026-09-01", "2026-09-02", "--date together with --from"),
        (None, None, "2026-09-01", "--to '2026-09-01' without --from"),
        (None, "2026-09-02", "2026-09-01", "--from 2026-09-02 is after --to 2026-09-01"),
        (None, "2026-09-16", None, "--from 2026-09-16 is after yesterday, 2026-09-15 UTC; pass --to"),
        (None, "0026-09-01", "2026-09-01", "--from 0026-09-01 up to 2026-09-01: 730,486 nights; expected at most"),
        ("2027-01-01", None, None, "--date: 2027-01-01 is in the future; today is 2026-09-16 UTC"),
        (None, "2026-09-17", None, "--from: 2026-09-17 is in the future; today is 2026-09-16 UTC"),
        (None, "2026-09-01", "2026-09-17", "--to: 2026-09-17 is in the future; today is 2026-09-16 UTC"),
    ],
    ids=["date and from", "date and to", "all three", "to alone", "backwards", "from today alone", "ages",
         "date ahead", "from ahead", "to ahead"],
)  # fmt: skip
def test_options_that_name_no_range_are_refused(date: str | None, from_: str | None, to: str | None, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        nights(date, from_, to, TODAY)
    assert str(caught.value).startswith(says)


def test_the_variables_of_a_service_of_the_same_name_are_no_options(monkeypatch: pytest.MonkeyPatch) -> None:
    for end in ("SERVICE_HOST", "PORT", "PORT_8080_TCP_ADDR", "SERVICE_PORT_HTTP"):
        monkeypatch.setenv(f"AUDITFOREST_{end}", "10.0.0.1")
    assert load(None, {}).forest.trees == 300


def test_the_archive_that_notebooks_read_is_no_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDITFOREST_ARCHIVE", "elsewhere")
    assert load(None, {}) == load(None, {"forest.trees": 300})
    assert not load(None, {}).clusters


def test_the_forest_may_be_of_any_engine_there_is() -> None:
    assert expected_of("forest.engine") == " or ".join(ENGINES)
    for engine in ENGINES:
        assert load(None, {"forest.engine": engine}).forest.engine == engine
