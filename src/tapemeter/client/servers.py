"""Finds the servers of a configuration, and the key of each.

A key goes to the server that it was given for, and to no other: LLM_API_KEY to the endpoint, LLM_GATEWAY_KEY to the
gateway, the variable that an `api_key_env` names to the address that stands beside it, and what the maker's own SDK
reads (OPENAI_API_KEY, ANTHROPIC_API_KEY) to the maker's own address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tapemeter.client.addresses import origin_of
from tapemeter.client.config import Endpoint, ProviderKind, Wire
from tapemeter.client.defaults import ADDRESS_VARIABLES, ADDRESSES, KEY_VARIABLES
from tapemeter.values import Value

if TYPE_CHECKING:
    from tapemeter.client.config_file import ConfigFile
    from tapemeter.client.hiding import Hiding
    from tapemeter.client.variables import Variables
    from tapemeter.errors import ConfigError


class Servers(Value):
    """The servers that variables and file name.

    `provider` is the one in use, whose server must be named; `keys_of` the one whose keys must be there, None where
    nothing is sent.
    """

    variables: Variables
    file: ConfigFile
    hiding: Hiding
    provider: ProviderKind
    keys_of: ProviderKind | None

    def real(self) -> Endpoint:
        """Return the server of LLM_PROVIDER=real, which is the maker's where none is named."""
        written = self.file.get("endpoint", "wire")
        wire = self.variables.word("LLM_WIRE", Wire) or Wire(written or Wire.OPENAI)
        own = self.variables.address("LLM_BASE_URL", wire)
        listed = self.file.address(wire, "endpoint", "base_url")
        address = own or listed or self._makers_address(wire)
        beside = own is None or listed in {None, own}
        named = self.file.get("endpoint", "api_key_env") if beside else None
        names = ["LLM_API_KEY", *([named] if named else []), *self._makers_key(address, wire)]
        endpoint = self._endpoint(address, wire, names)
        if self.keys_of is ProviderKind.REAL and endpoint.api_key is None:
            if named:
                problem = f"the variable {named}, which is to hold the key, is not set; set it, or LLM_API_KEY"
                raise self.file.fault(problem, ("endpoint", "api_key_env"))
            if _is_makers(address, wire):
                raise self._no_key(address, wire)
        return endpoint

    def gateway(self) -> Endpoint | None:
        """Return the server of LLM_PROVIDER=gateway; None where none is named. It may do without a key."""
        own = self.variables.address("LLM_GATEWAY_URL", None)
        listed = self.file.address(None, "gateway", "base_url")
        address = own or listed
        if address is None:
            if self.provider is ProviderKind.GATEWAY:
                raise self.hiding.fault(
                    "not set; set it to the address of the gateway, such as http://localhost:4000, or write that into "
                    "the config file as gateway.base_url",
                    path="LLM_GATEWAY_URL",
                )
            self.variables.key("LLM_GATEWAY_KEY")  # what is wrong is said, also where it is not used
            return None
        beside = own is None or listed in {None, own}
        named = self.file.get("gateway", "api_key_env") if beside else None
        endpoint = self._endpoint(address, Wire.OPENAI, ["LLM_GATEWAY_KEY", *([named] if named else [])])
        if named and self.keys_of is ProviderKind.GATEWAY and endpoint.api_key is None:
            problem = f"the variable {named}, which is to hold the key, is not set; set it, or LLM_GATEWAY_KEY"
            raise self.file.fault(problem, ("gateway", "api_key_env"))
        return endpoint

    def of_group(self, group: str, main: Endpoint) -> Endpoint | None:
        """Return the server of a group of the file; None where it is that of all others."""
        place = ("groups", group, "endpoint")
        given = self.file.section(*place)
        if not given:
            return None
        wire = Wire(given.get("wire") or (main.wire if given.get("base_url") is None else Wire.OPENAI))
        address = self.file.address(wire, *place, "base_url")
        if address is None:
            address = main.base_url if wire is main.wire else self._makers_address(wire)
        named = given.get("api_key_env")
        if named is None and address == main.base_url:
            return Endpoint(address, wire, main.api_key, main.key_name)
        names = [named] if named else self._makers_key(address, wire)
        endpoint = self._endpoint(address, wire, names)
        if self.keys_of is ProviderKind.REAL and endpoint.api_key is None and names:
            problem = f"the variable {names[0]}, which is to hold the key of this group's server, is not set; set it"
            raise self.file.fault(problem, (*place, "api_key_env"))
        return endpoint

    def _endpoint(self, address: str, wire: Wire, names: list[str]) -> Endpoint:
        """Return a server with the key of the first of the variables that is set."""
        for name in names:
            key = self.variables.key(name)
            if key is not None:
                return Endpoint(address, wire, key, name)
        return Endpoint(address, wire, key_name=names[0] if names else "LLM_API_KEY")

    def _makers_address(self, wire: Wire) -> str:
        return self.variables.address(ADDRESS_VARIABLES[wire], wire) or ADDRESSES[wire]

    def _makers_key(self, address: str, wire: Wire) -> list[str]:
        """Return the variable of the maker's SDK, where an address is the maker's, or named for that SDK."""
        if _is_makers(address, wire) or address == self._makers_address(wire):
            return [KEY_VARIABLES[wire]]
        return []

    def _no_key(self, address: str, wire: Wire) -> ConfigError:
        others = [name for kind, name in KEY_VARIABLES.items() if kind is not wire and self.variables.given(name)]
        hint = f" ({others[0]} is set: LLM_WIRE=anthropic uses it)" if others and wire is Wire.OPENAI else ""
        return self.hiding.fault(
            f"not set, and {origin_of(address)} answers nobody without a key{hint}; set it or {KEY_VARIABLES[wire]}, "
            "name another server in LLM_BASE_URL, or play recordings alone with LLM_MODE=replay",
            path="LLM_API_KEY",
        )


def _is_makers(address: str, wire: Wire) -> bool:
    """Whether an address is one of the maker of a protocol, and reached safely."""
    asked, makers = urlsplit(address), urlsplit(ADDRESSES[wire])
    host = asked.hostname or ""
    return asked.scheme == makers.scheme and (host == makers.hostname or host.endswith(f".{makers.hostname}"))
