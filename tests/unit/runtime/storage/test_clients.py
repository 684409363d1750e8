import pytest

from podreduce.storage.clients import KEPT_SECONDS, MAX_CLIENTS, Clients


@pytest.mark.parametrize("tenants", [1, 25, 65, 300, MAX_CLIENTS])
def test_clients_in_use_are_built_once(tenants: int) -> None:
    now, built = [0.0], []
    clients: Clients[int] = Clients(lambda: now[0])
    for _ in range(5):
        for tenant in range(tenants):
            clients.get(tenant, lambda tenant=tenant: built.append(tenant) or tenant)  # type: ignore[misc,func-returns-value]
        now[0] += KEPT_SECONDS / 2
    assert built == list(range(tenants))


def test_clients_that_nobody_asks_for_are_dropped() -> None:
    now = [0.0]
    clients: Clients[object] = Clients(lambda: now[0])
    most = 0
    for tenant in range(5000):
        clients.get("mine", object)
        clients.get(tenant, object)
        now[0] += 60
        most = max(most, len(clients))
    assert most <= KEPT_SECONDS / 60 + 3


def test_there_are_never_more_than_so_many() -> None:
    clients: Clients[object] = Clients(lambda: 0.0)
    for tenant in range(MAX_CLIENTS + 50):
        clients.get(tenant, object)
    assert len(clients) == MAX_CLIENTS
