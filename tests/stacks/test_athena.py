"""The catalog has the tables, views and questions of the core; who asks cannot read more than he may."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

from sluice.athena.queries import queries, views
from sluice.athena.tables import tables
from sluice.model import Config, deployment

pytestmark = pytest.mark.synth

ROOT = Path(__file__).resolve().parents[2]
BUCKET = "shop-dev-logs-<AccountId>-<Region>"
CONFIG = Config.model_validate(
    {
        "name": "shop",
        "environments": {"dev": {"removal": "destroy", "retention": {"objects_days": 400, "failed_days": 30}}},
        "athena": {"scan_limit_gib": 7, "results_days": 3},
        "routes": [
            {"name": "web", "match": "web*"},
            {
                "name": "web-2",
                "match": "web2*",
                "destination": {
                    "kind": "s3",
                    "format": "parquet",
                    "partition_by": [
                        {"name": "tenant", "field": "attributes.tenant"},
                        {"name": "level", "field": "severity.text", "values": ["ERROR", "WARN"]},
                    ],
                },
                "buffering": {"size_mib": 64, "interval_seconds": 60, "pack": False},
            },
        ],
    }
)
HERE = deployment(CONFIG, "dev")


@pytest.fixture(scope="module")
def made(synthesize):
    return synthesize(HERE, checked=True)


@pytest.fixture(scope="module")
def inputs(made):
    found = [each["Properties"] for each in made.resources("athena", "AWS::Glue::Table")]
    assert {str(each["DatabaseName"]) for each in found} == {"shop_dev"}
    return {each["TableInput"]["Name"]: each["TableInput"] for each in found}


def test_every_table_and_view_is_there(inputs):
    assert inputs.keys() == {
        *("web", "web_2", "catch_all", "all__failed", "all__reasons"),
        *("web__unique", "web_2__unique", "catch_all__unique"),
    }


def test_tables_are_those_of_the_core(inputs, spelled):
    for table in tables(HERE, bucket=BUCKET):
        told = inputs[table.name]
        storage = told["StorageDescriptor"]
        assert told["TableType"] == "EXTERNAL_TABLE"
        assert {key: spelled(value) for key, value in told["Parameters"].items()} == dict(table.parameters)
        assert [(each["Name"], each["Type"]) for each in storage["Columns"]] == [
            (column.name, column.type) for column in table.columns
        ]
        assert [each["Name"] for each in told["PartitionKeys"]] == [column.name for column in table.partitions]
        assert spelled(storage["Location"]) == table.location
        assert storage["SerdeInfo"]["SerializationLibrary"] == table.form.serde
        assert storage["SerdeInfo"]["Parameters"] == dict(table.form.settings)
        assert (storage["InputFormat"], storage["OutputFormat"]) == (table.form.reader, table.form.writer)


def test_folders_are_known_by_rule(inputs, spelled):
    parameters = {key: spelled(value) for key, value in inputs["web_2"]["Parameters"].items()}
    assert parameters["projection.enabled"] == "true"
    assert parameters["storage.location.template"] == (
        f"s3://{BUCKET}/logs/route=web-2/tenant=${{tenant}}/level=${{level}}/"
        "year=${year}/month=${month}/day=${day}/hour=${hour}/"
    )
    rules = {key.removeprefix("projection."): value for key, value in parameters.items() if "projection." in key}
    assert {key: value for key, value in rules.items() if key.split(".")[0] in ("tenant", "level", "hour")} == {
        "tenant.type": "injected",
        "level.type": "enum",
        "level.values": "ERROR,WARN,other",
        "hour.type": "integer",
        "hour.range": "0,23",
        "hour.digits": "2",
    }
    # 400 days reach into the year before last; the end is never a year that was once written down
    assert {key: value for key, value in rules.items() if key.startswith("year")} == {
        "year.type": "date",
        "year.format": "yyyy",
        "year.range": "NOW-2YEARS,NOW",
        "year.interval": "1",
        "year.interval.unit": "YEARS",
    }
    assert inputs["all__failed"]["Parameters"]["projection.year.range"] == "NOW-1YEARS,NOW"
    assert inputs["all__failed"]["Parameters"]["projection.route.values"] == "web,web-2,catch-all"


def test_lines_and_columns_are_read_by_their_own_serde(inputs):
    def serde(name):
        return inputs[name]["StorageDescriptor"]["SerdeInfo"]["SerializationLibrary"]

    assert serde("web") == "org.openx.data.jsonserde.JsonSerDe"
    assert serde("web_2") == "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"


def test_view_is_one_as_athena_keeps_it(inputs):
    for view in views(HERE):
        told = inputs[view.name]
        assert told["TableType"] == "VIRTUAL_VIEW"
        assert told["Parameters"] == {"presto_view": "true", "comment": "Presto View"}
        assert told["ViewExpandedText"] == "/* Presto View */"
        original = told["ViewOriginalText"]
        assert (original[:16], original[-3:]) == ("/* Presto View: ", " */")
        kept = json.loads(base64.b64decode(original[16:-3]))
        assert (kept["originalSql"], kept["catalog"], kept["schema"]) == (view.sql, "awsdatacatalog", "shop_dev")
        hive = {"varchar": "string", "integer": "int"}
        assert [(each["name"], hive[each["type"]]) for each in kept["columns"]] == [
            (each["Name"], each["Type"]) for each in told["StorageDescriptor"]["Columns"]
        ]


def test_named_queries_are_those_of_the_core(made):
    found = {
        each["Properties"]["Name"]: each["Properties"] for each in made.resources("athena", "AWS::Athena::NamedQuery")
    }
    assert {name: each["QueryString"] for name, each in found.items()} == {
        each.name: each.sql for each in queries(HERE)
    }
    assert {each["WorkGroup"] for each in found.values()} == {"shop-dev-logs"}
    assert {each["Database"] for each in found.values()} == {"shop_dev"}


def test_nobody_reads_more_than_the_limit_or_puts_answers_elsewhere(made, spelled):
    [group] = [each["Properties"] for each in made.resources("athena", "AWS::Athena::WorkGroup")]
    told = group["WorkGroupConfiguration"]
    assert group["Name"] == "shop-dev-logs"
    assert told["EnforceWorkGroupConfiguration"] is True
    assert told["BytesScannedCutoffPerQuery"] == 7 * 1024**3
    assert told["EngineVersion"] == {"SelectedEngineVersion": "Athena engine version 3"}
    answers = told["ResultConfiguration"]
    assert spelled(answers["OutputLocation"]) == f"s3://{BUCKET}/athena/"
    assert answers["EncryptionConfiguration"] == {"EncryptionOption": "SSE_S3"}
    assert answers["ExpectedBucketOwner"] == {"Ref": "AWS::AccountId"}


def test_answers_expire(made):
    [bucket] = [
        each["Properties"]
        for each in made.resources("storage", "AWS::S3::Bucket")
        if "BucketName" in each["Properties"]
    ]
    rules = {rule["Id"]: rule for rule in bucket["LifecycleConfiguration"]["Rules"]}
    assert (rules["answers"]["Prefix"], rules["answers"]["ExpirationInDays"]) == ("athena/", 3)


def test_tables_are_there_before_the_streams(made):
    manifest = json.loads((made.folder / "manifest.json").read_text())["artifacts"]
    assert "shop-dev-athena" in manifest["shop-dev-delivery"]["dependencies"]
    assert not any("Export" in output for output in made.template("athena")["Outputs"].values())


def test_cloudformation_takes_it(made):
    linter = Path(sys.executable).with_name("cfn-lint")
    templates = [str(made.folder / f"shop-dev-{part}.template.json") for part in ("athena", "delivery", "storage")]
    linted = subprocess.run(
        [linter, "--config-file", ROOT / ".cfnlintrc", "--", *templates],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (linted.stdout, linted.returncode) == ("", 0)
