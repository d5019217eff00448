"""Properties are found by an index, for a pass over all apps reads those of each."""

import pytest

from paas.state.store import SqliteStore


@pytest.mark.parametrize("of_instance", [True, False])
def test_reading_those_of_one_app_does_not_read_those_of_all(
    store: SqliteStore, of_instance: bool
) -> None:
    app = None if of_instance else store.apps.create("shop").id
    store.properties.set(app, "nginx", "gzip", "off")
    connection, said = store._database._connected(), list[str]()
    connection.set_trace_callback(said.append)
    assert store.properties.get(app, "nginx") == {"gzip": "off"}
    connection.set_trace_callback(None)
    plan = connection.execute(f"EXPLAIN QUERY PLAN {said[0]}").fetchall()
    assert [row["detail"].split()[:5] for row in plan] == [
        ["SEARCH", "properties", "USING", "INDEX", "properties_by_key"]
    ]
