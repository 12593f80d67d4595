"""An installation's dashboard and saved searches, as OpenSearch Dashboards imports them.

Each question becomes a visualization, all of them a dashboard, with a list of the latest errors and one of what failed.
Ids begin with the installation's prefix, so that several of them share a domain, and an import writes over its own
objects and no other's.

Form: what Dashboards 2 exports. The attributes of each type are those of its mappings (`src/plugins/*/server/
saved_objects` in https://github.com/opensearch-project/OpenSearch-Dashboards); what is structured inside of one is JSON
text; references stand apart, and the attributes name them.
"""

import json
from typing import Any, Final

from sluice import names
from sluice.model import Deployment
from sluice.search.questions import PERCENTILES, QUESTIONS, Question

SavedObject = dict[str, Any]

LANGUAGE: Final = "lucene"
COLUMNS: Final = ("resource.service.name", "severity.text", "body")
FAILED_COLUMNS: Final = ("route", "reason", "code", "message")
_SOURCE: Final = "kibanaSavedObjectMeta.searchSourceJSON.index"
_ROWS: Final = 15
# Dashboards' grid is 48 columns wide.
_HALF: Final = {"w": 24, "h": 12}
_FULL: Final = {"w": 48, "h": 18}


def saved_objects(deployment: Deployment) -> tuple[SavedObject, ...]:
    """The saved objects of an installation, what is referred to before what refers to it."""
    here = _Objects(deployment.prefix)
    logs = here.index_pattern("logs", f"{deployment.prefix}-*")
    failed = here.index_pattern("failed-records", f"{names.failed_index(deployment)}*")
    panels = [
        here.visualization(question, (failed if question.failed else logs)["id"], deployment.prefix)
        for question in QUESTIONS
    ]
    searches = [
        here.search("errors-list", "Latest errors", logs["id"], COLUMNS, query="severity.number:>=17"),
        here.search("failures", "Failed records", failed["id"], FAILED_COLUMNS, query="*"),
    ]
    return (logs, failed, *panels, *searches, here.dashboard(f"Sluice {deployment.prefix}", panels, searches))


class _Objects:
    """Makes the objects of one installation."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def index_pattern(self, name: str, title: str) -> SavedObject:
        """Without fields: Dashboards reads them from the indices when it is opened."""
        return self._object("index-pattern", name, {"title": title, "timeFieldName": "@timestamp"})

    def visualization(self, question: Question, index: str, prefix: str) -> SavedObject:
        title = f"{question.title} ({prefix})"
        attributes = {
            "title": title,
            "description": "",
            "version": 1,
            "uiStateJSON": "{}",
            "visState": json.dumps({"title": title, **_visualization(question)}),
            "kibanaSavedObjectMeta": _source(question.query),
        }
        return self._object("visualization", question.name, attributes, [_reference(index)])

    def search(self, name: str, title: str, index: str, columns: tuple[str, ...], *, query: str) -> SavedObject:
        attributes = {
            "title": f"{title} ({self._prefix})",
            "description": "",
            "version": 1,
            "hits": 0,
            "columns": list(columns),
            "sort": [["@timestamp", "desc"]],
            "kibanaSavedObjectMeta": _source(query),
        }
        return self._object("search", name, attributes, [_reference(index)])

    def dashboard(self, title: str, panels: list[SavedObject], searches: list[SavedObject]) -> SavedObject:
        placed, references = [], []
        top = 0
        for at, shown in enumerate((*panels, *searches)):
            size = _HALF if at < len(panels) else _FULL
            left = at % 2 == 0 if at < len(panels) else True
            name = f"panel_{at}"
            grid = {"x": 0 if left else _HALF["w"], "y": top, **size, "i": str(at)}
            placed.append({"panelIndex": str(at), "gridData": grid, "embeddableConfig": {}, "panelRefName": name})
            references.append({"name": name, "type": shown["type"], "id": shown["id"]})
            if size is _FULL or not left or at == len(panels) - 1:
                top += size["h"]
        attributes = {
            "title": title,
            "description": "Volume and errors by service, frequent messages, delivery and what failed",
            "version": 1,
            "hits": 0,
            "timeRestore": True,
            "timeFrom": "now-1h",
            "timeTo": "now",
            "refreshInterval": {"pause": False, "value": 30_000},
            "optionsJSON": json.dumps({"useMargins": True, "hidePanelTitles": False}),
            "panelsJSON": json.dumps(placed),
            "kibanaSavedObjectMeta": {
                "searchSourceJSON": json.dumps({"query": {"query": "", "language": LANGUAGE}, "filter": []})
            },
        }
        return self._object("dashboard", "overview", attributes, references)

    def _object(
        self, kind: str, name: str, attributes: dict[str, Any], references: list[dict[str, str]] | None = None
    ) -> SavedObject:
        return {
            "type": kind,
            "id": f"{self._prefix}-{name}",
            "attributes": attributes,
            "references": references or [],
            "migrationVersion": {kind: _MIGRATED[kind]},
        }


# The last versions that changed the form of each type: what is older, an import brings up to date.
_MIGRATED: Final = {"index-pattern": "7.6.0", "visualization": "7.10.0", "search": "7.9.3", "dashboard": "7.9.3"}


def _reference(index: str) -> dict[str, str]:
    return {"name": _SOURCE, "type": "index-pattern", "id": index}


def _source(query: str) -> dict[str, str]:
    told = {"query": {"query": query, "language": LANGUAGE}, "filter": [], "indexRefName": _SOURCE}
    return {"searchSourceJSON": json.dumps(told)}


def _visualization(question: Question) -> dict[str, Any]:
    """The part of visState that says what is asked and how it is drawn."""
    if question.chart == "table":
        return {"type": "table", "params": _TABLE, "aggs": _aggregations(question, group="bucket")}
    drawn = "histogram" if question.chart == "bars" else question.chart
    return {"type": drawn, "params": _axes(question, drawn), "aggs": _aggregations(question, group="group")}


def _aggregations(question: Question, *, group: str) -> list[dict[str, Any]]:
    metric = "count" if question.percentiles_of is None else "percentiles"
    params: dict[str, Any] = {}
    if question.percentiles_of is not None:
        params = {"field": question.percentiles_of, "percents": list(PERCENTILES)}
    told = [_aggregation(1, metric, "metric", params)]
    if question.over_time:
        params = {"field": "@timestamp", "interval": "auto", "min_doc_count": 1, "extended_bounds": {}}
        told.append(_aggregation(2, "date_histogram", "segment", params))
    if question.split is not None:
        # Dashboards names a percentile by its aggregation and its percent.
        order = "1" if question.percentiles_of is None else f"1.{PERCENTILES[-1]}"
        params = {
            "field": question.split.field,
            "size": question.split.size,
            "order": "desc",
            "orderBy": order,
            "otherBucket": False,
            "missingBucket": False,
        }
        told.append(_aggregation(3, "terms", group, params))
    return told


def _aggregation(number: int, kind: str, schema: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"id": str(number), "enabled": True, "type": kind, "schema": schema, "params": params}


_TABLE: Final = {
    "perPage": _ROWS,
    "showPartialRows": False,
    "showMetricsAtAllLevels": False,
    "showTotal": False,
    "totalFunc": "sum",
    "percentageCol": "",
}


def _axes(question: Question, drawn: str) -> dict[str, Any]:
    label = "seconds" if question.percentiles_of else "lines"
    series = {
        "show": True,
        "type": drawn,
        "data": {"id": "1", "label": label},
        "valueAxis": "ValueAxis-1",
        "mode": "normal" if drawn == "line" else "stacked",
        "drawLinesBetweenPoints": True,
        "showCircles": drawn == "line",
        "interpolate": "linear",
        "lineWidth": 2,
    }
    across = {
        "id": "CategoryAxis-1",
        "type": "category",
        "position": "bottom",
        "labels": {"show": True, "filter": True},
    }
    up = {
        "id": "ValueAxis-1",
        "name": "LeftAxis-1",
        "type": "value",
        "position": "left",
        "labels": {"show": True},
        "title": {"text": label},
    }
    scale = {"show": True, "style": {}, "scale": {"type": "linear"}}
    return {
        "type": drawn,
        "grid": {"categoryLines": False},
        "categoryAxes": [{**scale, **across, "title": {}}],
        "valueAxes": [{**scale, **up, "scale": {"type": "linear", "mode": "normal"}}],
        "seriesParams": [series],
        "addTooltip": True,
        "addLegend": True,
        "legendPosition": "right",
        "times": [],
        "addTimeMarker": False,
        "thresholdLine": {"show": False, "value": 10, "width": 1, "style": "full", "color": "#E7664C"},
        "labels": {},
    }
