"""What was done to each item, in the terms of PREMIS 3 (Library of Congress) as JSON.

Names are those of the semantic units of the PREMIS Data Dictionary, with values of its vocabulary
of event types and roles. It is no PREMIS XML; a repository that wants that maps it one to one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_OUTCOMES: Final = {
    "done": "success",
    "degraded": "warning",
    "skipped": "success",
    "failed": "failure",
}
_PROGRAM: Final = "colorize-archive"


def event(item: Mapping[str, Any]) -> dict[str, Any]:
    """The event of one item.

    Args:
        item: as in summary.json: the fields of ItemReport, those at their default left out.

    Returns:
        eventType is "creation" where colors were computed, "replication" where a picture that had
        color was copied, and "metadata extraction" where it was only looked at: left out or failed.
        Checksums that are not known are left out.
    """
    status = str(item.get("status"))
    note = "; ".join(str(item[name]) for name in ("reason", "remedy") if item.get(name))
    found = {
        "eventIdentifier": _identifier("event", "manifest key", str(item.get("key", ""))),
        "eventType": _event_type(item),
        "eventDateTime": item.get("ended", ""),
        "eventDetailInformation": {"eventDetail": _detail(item)},
        "eventOutcomeInformation": {
            "eventOutcome": _OUTCOMES.get(status, "failure"),
            "eventOutcomeDetail": {"eventOutcomeDetailNote": note or status},
        },
        "linkingAgentIdentifier": {
            **_identifier("linkingAgent", "software", _PROGRAM),
            "linkingAgentRole": "executing program",
        },
        "linkingObjectIdentifier": list(_objects(item)),
    }
    return {name: value for name, value in found.items() if value != ""}


def agents(header: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The software with its settings, and the generator.

    Args:
        header: what stands beside the items in summary.json.
    """
    return [
        {
            "agentIdentifier": _identifier("agent", "software", _PROGRAM),
            "agentType": "software",
            "agentVersion": header.get("version", ""),
            "agentNote": {"settings": header.get("settings", {})},
        },
        {
            "agentIdentifier": _identifier(
                "agent", "sha256", str(header.get("weights_sha256", ""))
            ),
            "agentName": "weights of the generator",
            "agentType": "software",
        },
    ]


def _identifier(unit: str, kind: str, value: str) -> dict[str, str]:
    return {f"{unit}IdentifierType": kind, f"{unit}IdentifierValue": value}


def _event_type(item: Mapping[str, Any]) -> str:
    if item.get("status") in ("done", "degraded"):
        return "creation"
    return "replication" if item.get("output") else "metadata extraction"


def _detail(item: Mapping[str, Any]) -> str:
    if item.get("status") in ("done", "degraded"):
        return "color computed from the picture's lightness by a neural network; not historical"
    return "copied byte for byte" if item.get("output") else "no result"


def _objects(item: Mapping[str, Any]) -> list[dict[str, Any]]:
    objects = [_object("source", item.get("source"), item.get("source_sha256"))]
    sound = (item.get("details") or {}).get("sound")
    if sound:
        objects.append(_object("source", sound.get("path"), sound.get("sha256")))
    if item.get("output"):
        objects.append(_object("outcome", item.get("output"), item.get("sha256")))
    return objects


def _object(role: str, path: object, sha256: object) -> dict[str, Any]:
    found = {**_identifier("linkingObject", "path", str(path)), "linkingObjectRole": role}
    if not sha256:
        return found
    fixity = {"messageDigestAlgorithm": "SHA-256", "messageDigest": sha256}
    return {**found, "objectCharacteristics": {"fixity": fixity}}
