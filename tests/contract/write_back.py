"""A refresh token in a vault, an app that writes it back, and somebody else who works there between any two calls."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from uuid import uuid4

from local import vault
from shared.credentials import Credentials, Secret, Vault, Version
from shared.errors import TokenRefused, TokenUnavailable
from shared.sign_in import SignIn, Tokens
from tests.fakes import FakeClock, settings

DAY_S = 86_400
# What an exchange that is written back asks of the vault, in this order; then whatever a restore asks.
CLIENT, REFRESH, CHECK, SET, LIST, LAST = range(6)
UNDISTURBED = ["get", "get", "get", "set", "list", "get"]
RESTORED = ["get", "get", "get", "set", "list", "get", "set", "list", "get"]


class EverySignIn(SignIn):
    """Gives a new refresh token for every one. `error`: or does not. `revoked`: or for all but these."""

    def __init__(self) -> None:
        self.revoked: set[str] = set()
        self.used: list[str] = []
        self.new: Callable[[str], str | None] = lambda used: f"{used}+"
        self.error: TokenUnavailable | TokenRefused | None = None

    def exchange(self, client_credential: str | dict[str, str], refresh_token: str) -> Tokens:
        self.used.append(refresh_token)
        if self.error:
            raise self.error
        if refresh_token in self.revoked:
            raise TokenRefused("revoked", code="invalid_grant")
        return Tokens(f"access-{len(self.used)}", self.new(refresh_token), 3600, ("pwd", "mfa"))


class InMemory:
    """`credentials.Vault` without a protocol."""

    def __init__(self, memory: vault.Vault) -> None:
        self._memory = memory

    def get_secret(self, name: str, version_id: str | None = None) -> Secret:
        found = self._memory.get(name, version_id)
        return Secret(found.value, _version(found))

    def set_secret(self, name: str, value: str) -> None:
        self._memory.set(name, value, vault.Properties(tags={"written-by": "app"}))

    def list_versions(self, name: str) -> Iterable[Version]:
        return [_version(each) for each in self._memory.list_versions(name)]


def _version(found: vault.SecretVersion) -> Version:
    return Version(found.version, datetime.fromtimestamp(found.created, UTC), by_app="written-by" in found.tags)


class Interrupted:
    """A vault with somebody else in it: before its n-th operation, and after it."""

    def __init__(self, inner: Vault) -> None:
        self._inner = inner
        self.operations: list[str] = []
        self.before: dict[int, Callable[[], object]] = {}
        self.after: dict[int, Callable[[], object]] = {}
        self.before_each: Callable[[], object] = lambda: None

    def get_secret(self, name: str, version_id: str | None = None) -> Secret:
        return self._run("get", lambda: self._inner.get_secret(name, version_id))

    def set_secret(self, name: str, value: str) -> None:
        self._run("set", lambda: self._inner.set_secret(name, value))

    def list_versions(self, name: str) -> Iterable[Version]:
        return self._run("list", lambda: self._inner.list_versions(name))

    def _run[Result](self, operation: str, call: Callable[[], Result]) -> Result:
        number = len(self.operations)
        self.operations.append(operation)
        self.before_each()
        self.before.get(number, lambda: None)()
        result = call()
        self.after.get(number, lambda: None)()
        return result


class OneToken:
    """One refresh token, a person who replaces it, and as many processes as a test makes."""

    def __init__(self, inner: Vault, memory: vault.Vault, clock: FakeClock) -> None:
        self.inner, self.memory, self.clock = inner, memory, clock
        name = uuid4().hex
        self.name = f"refresh-{name}"
        self.settings = settings(client_secret_name=f"client-{name}", refresh_token_secret_name=self.name)
        self.sign_in = EverySignIn()
        self.vault = Interrupted(inner)
        self.memory.set(f"client-{name}", "client secret")
        self.put("first")
        self.credentials = Credentials(self.vault, self.sign_in, clock, self.settings)

    def put(self, value: str) -> None:
        """A person does."""
        self.memory.set(self.name, value)

    @property
    def top(self) -> vault.SecretVersion:
        return self.memory.get(self.name)

    def exchange(self) -> str:
        self.credentials.drop_token()
        return self.credentials.get_token()


def in_memory() -> OneToken:
    """Without a protocol; it shares nothing with another one."""
    clock = FakeClock()
    memory = vault.Vault(clock=lambda: clock.now().timestamp())
    return OneToken(InMemory(memory), memory, clock)


def fail(error: type[TokenUnavailable | TokenRefused] = TokenUnavailable) -> Callable[[], object]:
    def raise_it() -> None:
        raise error("out")

    return raise_it
