"""The wall around apps and builds, and the map behind nginx, as one nftables ruleset per instance.

The instance's own table only ever refuses: Docker's tables stay as they are, and neither an engine
restart nor a firewalld reload takes it away. Everything a container sends is judged in prerouting,
before Docker translates addresses, so that the rules see where it wanted to go.

Builds share Docker's default bridge with other instances and with the owner's containers, so their
rules stand in a table that all instances write alike; each adds the port of its apt cache, with its
own name: where the instance's table is gone, the port goes too (proxies/routes.py).

Needs Linux 5.10 and nftables 1.0 (https://wiki.nftables.org, "Matching routing information").
"""

from collections.abc import Iterable, Iterator
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

from paas.settings import Settings

SERVICE_PORT = 80  # the port of every service address
BUILD_BRIDGE = "docker0"
# Where clouds tell a machine its secrets: most on link-local, Alibaba, Azure, older Oracle.
METADATA = "169.254.0.0/16, 100.100.100.200, 168.63.129.16, 192.0.0.192"
RESOLV_CONF = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))

# Adding a table before deleting it makes the deletion valid also where there was none: then the
# file replaces whatever stands, in one transaction (nft(8), "ATOMIC RULE REPLACEMENT").
_INSTANCE = """\
add table inet $table
delete table inet $table
table inet $table {
	map web {
		type ipv4_addr : ipv4_addr . inet_service
	}
	set resolvers {
		type ipv4_addr
		$resolvers
	}
	# A connection that is not answered is translated anew at its first repeated SYN, so that no
	# entry with the same ports keeps sending to a container that is gone.
	ct timeout web {
		protocol tcp
		l3proto ip
		policy = { syn_sent : 1, fin_wait : 30, close_wait : 30, last_ack : 10 }
	}

	# nginx connects to a service address; the map says which container that is now.
	chain translate {
		type nat hook output priority -101; policy accept;
		ip daddr $services tcp dport $service_port dnat ip to ip daddr map @web
	}
	# What the map did not translate is refused at once and never leaves the host.
	chain unmapped {
		type filter hook output priority filter - 5; policy accept;
		ct state established,related accept
		ip daddr $source accept
		ct original ip daddr $services ct timeout set "web"
		ip daddr $services meta l4proto tcp reject with tcp reset
		ip daddr $services reject
	}

	chain wall {
		type filter hook prerouting priority mangle; policy accept;
		ct state established,related accept
		iifname "$bridges" goto app
		# Nothing enters an app's network but through nginx on this host.
		iifname != "lo" ip daddr { $network, $services } goto refuse
	}
	chain app {
		meta nfproto ipv6 drop
		fib saddr . iif oif missing drop
		fib daddr type local tcp dport { $http_port, $https_port } accept
		fib daddr type local icmp type echo-request accept
		ip daddr @resolvers meta l4proto { tcp, udp } th dport 53 accept
		fib daddr type != unicast goto refuse
		fib daddr . iif oif exists accept
		ip daddr { $network, $services, $metadata } goto refuse
		fib daddr oifname "$build_bridge" goto refuse
		fib daddr oifname "br-*" goto refuse
	}
	chain refuse {
		meta l4proto tcp reject with tcp reset
		reject with icmpx admin-prohibited
	}
}
"""

_BUILDS = """
add table inet $builds
add set inet $builds ports { type inet_service; }
add set inet $builds resolvers { type ipv4_addr; }
add chain inet $builds wall { type filter hook prerouting priority mangle; policy accept; }
add chain inet $builds build
add chain inet $builds refuse
flush chain inet $builds wall
flush chain inet $builds build
flush chain inet $builds refuse
$build_elements
table inet $builds {
	chain wall {
		ct state established,related accept
		iifname "$build_bridge" goto build
	}
	chain build {
		meta l4proto ipv6-icmp accept
		fib saddr . iif oif missing drop
		fib daddr type local tcp dport @ports accept
		fib daddr type local icmp type echo-request accept
		ip daddr @resolvers meta l4proto { tcp, udp } th dport 53 accept
		fib daddr type != unicast goto refuse
		ip daddr { $metadata } goto refuse
		ip6 daddr { fc00::/7, fe80::/10 } goto refuse
		fib daddr . iif oif exists goto refuse
		fib daddr oifname "br-*" goto refuse
	}
	chain refuse {
		meta l4proto tcp reject with tcp reset
		reject with icmpx admin-prohibited
	}
}
"""

# Containers on one bridge reach each other below the rules above, unless the kernel shows bridged
# packets to them (br_netfilter). Without ARP between them none can pose as the others' gateway.
# The apt cache fetches whatever it is asked for: it is for builds, not for other machines.
_BRIDGED = """
add rule inet $builds wall iifname != "lo" ip daddr $build_subnet tcp dport @ports goto refuse
add table bridge $builds
add chain bridge $builds wall { type filter hook forward priority filter - 5; policy accept; }
flush chain bridge $builds wall
add rule bridge $builds wall ip saddr $build_subnet ip daddr $build_subnet drop
add rule bridge $builds wall arp saddr ip $build_subnet drop
"""


def table(settings: Settings) -> str:
    """Return the name of the instance's table (family inet)."""
    return table_of(settings.instance)


def table_of(instance: str) -> str:
    """Return the name of the table of an instance."""
    return f"paas_{instance}"


def builds_table(build_bridge: str = BUILD_BRIDGE) -> str:
    """Return the name of the table that all instances with this build bridge share."""
    return "paas_builds_" + build_bridge.replace("-", "_")


def source_address(settings: Settings) -> IPv4Address:
    """Return the host's address from which nginx reaches every app: slot 0, which no process has.

    It is the host's own and never changes, so open connections outlive a change of the host's
    addresses, and apps can name it as their trusted proxy.
    """
    return settings.service_address(1, 0)


def render(
    settings: Settings,
    resolvers: Iterable[str],
    build_bridge: str = BUILD_BRIDGE,
    build_subnet: IPv4Network | None = None,
) -> str:
    """Return the ruleset as text for `nft -f`, with an empty map.

    `resolvers` are the IPv4 name servers of the host: DNS is let through to them even where the
    address would be refused (some clouds answer DNS on the metadata address). `build_subnet` is
    the subnet of the build bridge, None where there is no such bridge.
    """
    servers = ", ".join(sorted(resolvers))
    builds, port = builds_table(build_bridge), apt_cache_port(settings)
    elements = [*_claim(f"inet {builds} ports", port, settings.instance)] if port else []
    elements += [f"add element inet {builds} resolvers {{ {servers} }}"] if servers else []
    ruleset = _INSTANCE + _BUILDS + (_BRIDGED if build_subnet else "")
    return Template(ruleset).substitute(
        table=table(settings),
        resolvers=f"elements = {{ {servers} }}" if servers else "",
        metadata=METADATA,
        services=settings.services,
        source=source_address(settings),
        service_port=SERVICE_PORT,
        network=settings.network,
        bridges=f"{settings.bridge_prefix}-*",
        http_port=settings.http_port,
        https_port=settings.https_port,
        builds=builds,
        build_bridge=build_bridge,
        build_elements="\n".join(elements),
        build_subnet=build_subnet,
    )


def _claim(ports: str, port: int, instance: str) -> Iterator[str]:
    """Yield the commands that add a port with its instance's name, also where it stands already."""
    yield f"add element {ports} {{ {port} }}"
    yield f"delete element {ports} {{ {port} }}"
    yield f'add element {ports} {{ {port} comment "{instance}" }}'


def apt_cache_port(settings: Settings) -> int | None:
    """Return the host's port on which builds reach the apt cache, None when there is none."""
    if settings.apt_cache == "off":
        return None
    if settings.apt_cache == "managed":
        return settings.apt_cache_port
    return urlsplit(settings.apt_cache).port or SERVICE_PORT


def name_servers(files: Iterable[Path] = RESOLV_CONF) -> tuple[str, ...]:
    """Return the host's IPv4 name servers, loopback left out: containers cannot reach that."""
    found = set()
    for file in files:
        for line in file.read_text().splitlines() if file.is_file() else ():
            match line.split():
                case ["nameserver", address, *_] if _is_reachable(address):
                    found.add(address)
    return tuple(sorted(found))


def _is_reachable(address: str) -> bool:
    try:
        return not IPv4Address(address).is_loopback
    except AddressValueError:
        return False
