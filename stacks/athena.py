"""Questions over what lies in S3: the catalog's tables and views, named queries, and the workgroup that may ask them.

Made if a route goes to S3. Nothing here holds data: all of it can be deleted and made again. The tables are the schema
by which Firehose makes Parquet, so this stack is deployed before the delivery streams; itself it needs no other, for
the bucket stands in it by name.

Who may ask is not said here: a user needs Athena's actions on the workgroup, Glue's on the database, to read the bucket
and to write below athena/. Where Lake Formation rules the catalog it has to grant all of that, and the tables to the
delivery roles of Parquet routes.

Cost: nothing until somebody asks; then $5 per TB that is read, and no query reads more than `athena.scan_limit_gib`.
"""

from collections.abc import Sequence
from typing import Final

from aws_cdk import CfnOutput, Environment, Stack
from aws_cdk import aws_athena as athena
from aws_cdk import aws_glue as glue
from constructs import Construct

from sluice import names
from sluice.athena.queries import Query, View, queries, views
from sluice.athena.tables import Column, Table, tables
from sluice.athena.views import EXPANDED, PARAMETERS, definition
from sluice.model import Deployment
from stacks.storage import ANSWERS

ENGINE: Final = "Athena engine version 3"
_GIB: Final = 1024**3

_Input = glue.CfnTable.TableInputProperty
_Storage = glue.CfnTable.StorageDescriptorProperty
_SerDe = glue.CfnTable.SerdeInfoProperty
_Configuration = athena.CfnWorkGroup.WorkGroupConfigurationProperty


class Athena(Stack):
    """The database of an environment, and what is asked of it."""

    def __init__(self, scope: Construct, stack_id: str, *, deployment: Deployment, env: Environment) -> None:
        super().__init__(scope, stack_id, env=env, description="Sluice: tables and queries over the logs in S3")
        bucket = names.bucket(deployment, account=self.account, region=self.region)
        self._name = names.database(deployment)
        told = glue.CfnDatabase.DatabaseInputProperty(name=self._name, description=f"Logs of {deployment.prefix}")
        self._database = glue.CfnDatabase(self, "Database", catalog_id=self.account, database_input=told)
        for table in tables(deployment, bucket=bucket):
            self._add(table.name, _table(table))
        for view in views(deployment):
            self._add(view.name, _view(view, database=self._name))
        workgroup = self._workgroup(names.workgroup(deployment), bucket=bucket, gib=deployment.athena.scan_limit_gib)
        for query in queries(deployment):
            self._ask(query, workgroup)
        CfnOutput(self, "WorkGroup", value=workgroup.name, description="Athena workgroup with the named queries")
        CfnOutput(self, "DatabaseName", value=self._name, description="Glue database with the tables and views")

    def _add(self, name: str, told: _Input) -> None:
        table = glue.CfnTable(
            self, f"Table {name}", catalog_id=self.account, database_name=self._name, table_input=told
        )
        table.add_resource_dependency(self._database)

    def _workgroup(self, name: str, *, bucket: str, gib: int) -> athena.CfnWorkGroup:
        """A workgroup whose settings its users cannot replace by their own."""
        return athena.CfnWorkGroup(
            self,
            "Group",
            name=name,
            description="Questions over the logs in S3",
            # Its named queries and the history of what was asked go with it.
            recursive_delete_option=True,
            work_group_configuration=_Configuration(
                enforce_work_group_configuration=True,
                publish_cloud_watch_metrics_enabled=True,
                bytes_scanned_cutoff_per_query=gib * _GIB,
                engine_version=athena.CfnWorkGroup.EngineVersionProperty(selected_engine_version=ENGINE),
                result_configuration=athena.CfnWorkGroup.ResultConfigurationProperty(
                    output_location=f"s3://{bucket}/{ANSWERS}",
                    expected_bucket_owner=self.account,
                    encryption_configuration=athena.CfnWorkGroup.EncryptionConfigurationProperty(
                        encryption_option="SSE_S3"
                    ),
                ),
            ),
        )

    def _ask(self, query: Query, workgroup: athena.CfnWorkGroup) -> None:
        named = athena.CfnNamedQuery(
            self,
            f"Query {query.name}",
            database=self._name,
            work_group=workgroup.name,
            name=query.name,
            description=query.description,
            query_string=query.sql,
        )
        named.add_resource_dependency(workgroup)


def _table(table: Table) -> _Input:
    form = table.form
    return _Input(
        name=table.name,
        description=table.description,
        table_type="EXTERNAL_TABLE",
        parameters=dict(table.parameters),
        partition_keys=_columns(table.partitions),
        storage_descriptor=_Storage(
            columns=_columns(table.columns),
            location=table.location,
            input_format=form.reader,
            output_format=form.writer,
            serde_info=_SerDe(serialization_library=form.serde, parameters=dict(form.settings)),
        ),
    )


def _view(view: View, *, database: str) -> _Input:
    return _Input(
        name=view.name,
        description=view.description,
        table_type="VIRTUAL_VIEW",
        parameters=dict(PARAMETERS),
        partition_keys=[],
        storage_descriptor=_Storage(columns=_columns(view.columns), location="", serde_info=_SerDe()),
        view_original_text=definition(view, database=database),
        view_expanded_text=EXPANDED,
    )


def _columns(columns: Sequence[Column]) -> list[glue.CfnTable.ColumnProperty]:
    return [
        glue.CfnTable.ColumnProperty(name=column.name, type=column.type, comment=column.comment) for column in columns
    ]
