"""What our Terraform has to keep to; each rule yields sentences about what does not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from terraform_tree import (
    NO_EDITS,
    Block,
    BrokenCodeError,
    Item,
    Module,
    misused_arguments,
    misused_modules,
    read_modules,
    references,
    schema,
    texts_in,
    unresolved,
)

from prismata.settings import Settings

ANYWHERE = {"0.0.0.0/0", "::/0"}
_PUBLIC_PORTS = {443}
_SETTINGS = {f"PRISMATA_{name.upper()}" for name in Settings.model_fields}


def findings(root: Path, edits: Mapping[Path, str] = NO_EDITS) -> list[str]:
    """Everything that is wrong below `root`, were some files as `edits` say; sorted."""
    try:
        modules = read_modules(root, edits)
    except BrokenCodeError as error:
        return [str(error)]
    found: list[str] = []
    for module in modules.values():
        found += _own_findings(module)
        found += unresolved(module, modules)
        found += misused_modules(module, modules)
    return sorted(set(found))


@lru_cache(maxsize=512)
def _own_findings(module: Module) -> tuple[str, ...]:
    return tuple(sentence for rule in RULES for sentence in rule(module))


def undescribed(module: Module) -> Iterator[str]:
    """Variables have a type and a description, outputs a description."""
    for name, body in module.named("variable").items():
        for needed in ("type", "description"):
            if not body.get(needed):
                yield f"{module.folder.name}: variable {name} has no {needed}"
    for name, body in module.named("output").items():
        if not body.get("description"):
            yield f"{module.folder.name}: output {name} has no description"


def unused(module: Module) -> Iterator[str]:
    """A variable that nothing reads is a promise that is not kept."""
    # A validation reads its own variable; that alone is no use.
    elsewhere = [content for file, content in module.files.items() if file != "variables.tf"]
    used = {name for head, name, _ in references(elsewhere) if head == "var"}
    for name in module.named("variable"):
        if name not in used:
            yield f"{module.folder.name}: variable {name} is never used"


def unpinned(module: Module) -> Iterator[str]:
    """Terraform and providers have versions with an end."""
    blocks = list(module.blocks("terraform"))
    if not any("<" in block.get("required_version", "") for block in blocks):
        yield f"{module.folder.name}: required_version has no upper end"
    providers = {
        name: body
        for block in blocks
        for group in block.get("required_providers", [])
        for name, body in group.items()
        if not name.startswith("__")
    }
    for name, body in providers.items():
        if not re.match(r"(~> |= ?|)\d+\.\d+", body.get("version", "")):
            yield f"{module.folder.name}: provider {name} is not pinned"
    for item in module.items:
        provider = item.kind.rpartition(".")[2].partition("_")[0]
        if provider not in providers:
            yield f"{module.folder.name}: provider {provider} is used and not required"


def _words(value: object) -> list[str]:
    return [value] if isinstance(value, str) else [str(item) for item in value or []]  # type: ignore[attr-defined]


def too_mighty(module: Module) -> Iterator[str]:
    """Nobody may do anything with everything, and no stranger anything."""
    for item in module.items:
        if item.kind != "data.aws_iam_policy_document":
            continue
        for statement in _blocks(item.body, "statement"):
            if statement.get("effect", "Allow") != "Allow":
                continue
            actions, resources = (
                _words(statement.get("actions")),
                _words(statement.get("resources")),
            )
            everything = any(action == "*" for action in actions)
            wild = any("*" in action for action in actions)
            principals = _blocks(statement, "principals")
            if everything or (wild and "*" in resources and not principals):
                yield f"{module.folder.name}: {item.address} allows {', '.join(actions)} on *"
            if any("*" in _words(who.get("identifiers")) for who in principals):
                yield f"{module.folder.name}: {item.address} allows strangers {', '.join(actions)}"
    for item in module.items:
        for text in texts_in(item.body):
            if re.search(r'Action"?\s*[=:]\s*\[?\s*"\*"', text):
                yield f"{module.folder.name}: {item.address} allows everything"


def _blocks(body: Block, name: str) -> list[Block]:
    found = body.get(name, [])
    plain = list(found) if isinstance(found, list) else [found]
    for dynamic in body.get("dynamic", []):
        plain += dynamic.get(name, {}).get("content", [])
    return [block for block in plain if isinstance(block, dict)]


def open_ports(module: Module) -> Iterator[str]:
    """From addresses (and not from a security group) people come by HTTPS only."""
    for item in module.items:
        rules: list[Block] = []
        if item.kind == "aws_vpc_security_group_ingress_rule":
            rules = [item.body]
        elif item.kind == "aws_security_group":
            rules = _blocks(item.body, "ingress")
        elif item.kind == "aws_security_group_rule" and item.body.get("type") == "ingress":
            rules = [item.body]
        for rule in rules:
            sources = [
                key
                for key in ("cidr_ipv4", "cidr_ipv6", "cidr_blocks", "ipv6_cidr_blocks")
                if rule.get(key)
            ]
            ports = (rule.get("from_port"), rule.get("to_port"))
            if sources and (ports[0] != ports[1] or ports[0] not in _PUBLIC_PORTS):
                yield f"{module.folder.name}: {item.address} opens ports {ports[0]} to {ports[1]}"


_ENCRYPTED: dict[str, Callable[[Block], bool]] = {
    "aws_ebs_volume": lambda body: body.get("encrypted") is True,
    "aws_db_instance": lambda body: body.get("storage_encrypted") is True,
    "aws_instance": lambda body: (
        all(disk.get("encrypted") is True for disk in _blocks(body, "root_block_device"))
        and bool(_blocks(body, "root_block_device"))
    ),
    "aws_launch_template": lambda body: (
        all(
            disk.get("encrypted") is True
            for mapping in _blocks(body, "block_device_mappings")
            for disk in _blocks(mapping, "ebs")
        )
        and bool(_blocks(body, "block_device_mappings"))
    ),
    "aws_ecr_repository": lambda body: bool(_blocks(body, "encryption_configuration")),
    "aws_sns_topic": lambda body: bool(body.get("kms_master_key_id")),
    "aws_sqs_queue": lambda body: bool(
        body.get("kms_master_key_id") or body.get("sqs_managed_sse_enabled")
    ),
    "aws_ssm_parameter": lambda body: body.get("type") == "SecureString",
    "aws_lb_listener": lambda body: body.get("protocol") == "HTTPS",
}


def unencrypted(module: Module) -> Iterator[str]:
    """What lies or travels is encrypted."""
    kinds = {item.kind for item in module.items}
    for item in module.items:
        rule = _ENCRYPTED.get(item.kind)
        if rule is not None and not rule(item.body):
            yield f"{module.folder.name}: {item.address} is not encrypted"
    if "aws_s3_bucket" in kinds:
        for needed in (
            "aws_s3_bucket_server_side_encryption_configuration",
            "aws_s3_bucket_policy",
        ):
            if needed not in kinds:
                yield f"{module.folder.name}: the bucket has no {needed}"
        if not any("aws:SecureTransport" in texts_in(item.body) for item in module.items):
            yield f"{module.folder.name}: the bucket can be read without TLS"
    if any(item.kind == "aws_db_parameter_group" for item in module.items) and not any(
        parameter.get("name") == "rds.force_ssl" and str(parameter.get("value")) == "1"
        for item in module.items
        for parameter in _blocks(item.body, "parameter")
    ):
        yield f"{module.folder.name}: the database can be reached without TLS"


def losable(module: Module) -> Iterator[str]:
    """What cannot be made again is kept: versions, backups, protection."""
    for item in module.items:
        where = f"{module.folder.name}: {item.address}"
        if item.kind in ("aws_s3_bucket", "aws_ebs_volume"):
            guards = _blocks(item.body, "lifecycle")
            if not any(guard.get("prevent_destroy") is True for guard in guards):
                yield f"{where} may be destroyed"
        if item.kind == "aws_s3_bucket_versioning" and not any(
            block.get("status") == "Enabled"
            for block in _blocks(item.body, "versioning_configuration")
        ):
            yield f"{where} keeps no versions"
        if item.kind == "aws_s3_bucket_lifecycle_configuration" and not any(
            _blocks(rule, "abort_incomplete_multipart_upload")
            for rule in _blocks(item.body, "rule")
        ):
            yield f"{where} keeps uploads that never ended"
        if item.kind == "aws_s3_bucket_public_access_block":
            blocked = [value for key, value in item.body.items() if key != "bucket"]
            if [value for value in blocked if value is True] != [True] * 5:  # and the block mark
                yield f"{where} does not block everything"


_BROWSERS_NEED = {
    "allowed_methods": {"GET", "HEAD", "PUT"},
    "allowed_headers": {"Range", "Content-Type"},
    "expose_headers": {"ETag", "Content-Range", "Accept-Ranges", "Content-Length"},
}
"""A player reads ranges of signed addresses; an upload puts its parts to signed addresses."""


def shut_out(module: Module) -> Iterator[str]:
    """Pages may play from the bucket and send parts to it, from named addresses only."""
    for item in module.items:
        if item.kind != "aws_s3_bucket_cors_configuration":
            continue
        where = f"{module.folder.name}: {item.address}"
        for rule in _blocks(item.body, "cors_rule"):
            for name, needed in _BROWSERS_NEED.items():
                missing = needed - set(_words(rule.get(name)))
                if missing:
                    yield f"{where} has no {', '.join(sorted(missing))} in {name}"
            if "*" in _words(rule.get("allowed_origins")):
                yield f"{where} lets the pages of everybody in"


def losable_databases(module: Module) -> Iterator[str]:
    """A database is nobody else's, and does not go without a copy."""
    for item in module.items:
        where = f"{module.folder.name}: {item.address}"
        if item.kind != "aws_db_instance":
            continue
        if item.body.get("publicly_accessible") is not False:
            yield f"{where} is public"
        if item.body.get("skip_final_snapshot") is not False:
            yield f"{where} can go without a last snapshot"
        for needed in ("backup_retention_period", "deletion_protection"):
            if item.body.get(needed) in (None, 0, False):
                yield f"{where} has no {needed}"


def without_login(module: Module) -> Iterator[str]:
    """The workbench has no login: what forwards to it asks first."""
    for item in module.items:
        if item.kind not in ("aws_lb_listener", "aws_lb_listener_rule"):
            continue
        name = "default_action" if item.kind == "aws_lb_listener" else "action"
        actions = sorted(_blocks(item.body, name), key=lambda action: action.get("order", 0))
        kinds = [action.get("type", "") for action in actions]
        if "forward" in kinds and not any(
            kind.startswith("authenticate-") for kind in kinds[: kinds.index("forward")]
        ):
            yield f"{module.folder.name}: {item.address} forwards without a login"
        for action in actions:
            for login in _blocks(action, "authenticate_oidc"):
                if login.get("on_unauthenticated_request") not in ("authenticate", "deny"):
                    yield f"{module.folder.name}: {item.address} lets strangers through"
    calls = module.named("module")
    listens = [name for name, body in calls.items() if body.get("listen_on") == "0.0.0.0"]  # noqa: S104
    if listens and not any("load_balancer" in body["source"] for body in calls.values()):
        yield f"{module.folder.name}: module.{listens[0]} listens to all without a load balancer"


def old_metadata(module: Module) -> Iterator[str]:
    """Credentials of a machine are given out by version 2 of its metadata service only."""
    for item in module.items:
        if item.kind in ("aws_instance", "aws_launch_template") and not any(
            block.get("http_tokens") == "required"
            for block in _blocks(item.body, "metadata_options")
        ):
            yield f"{module.folder.name}: {item.address} answers without a token"


def untagged(module: Module) -> Iterator[str]:
    """What can have tags has them."""
    for item in module.items:
        known = schema().get(item.kind, {}).get("arguments", {})
        if not item.kind.startswith("data.") and "tags" in known and "tags" not in item.body:
            yield f"{module.folder.name}: {item.address} has no tags"


def settings_in(value: object) -> Iterator[tuple[str, Any]]:
    """Yield every `PRISMATA_…` name in a parsed value, with what it is set to."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if str(key).startswith("PRISMATA_"):
                yield str(key), inner
            yield from settings_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from settings_in(inner)
    elif isinstance(value, str):
        for name in re.findall(r"\b(PRISMATA_[A-Z0-9_]+)\s*=", value):
            yield name, None


def unknown_settings(module: Module) -> Iterator[str]:
    """A `PRISMATA_…` variable that is set exists in the program."""
    for name, _ in settings_in(module.files):
        if name not in _SETTINGS:
            yield f"{module.folder.name}: there is no setting {name}"


RULES: tuple[Callable[[Module], Iterator[str]], ...] = (
    undescribed,
    unused,
    unpinned,
    too_mighty,
    open_ports,
    unencrypted,
    losable,
    shut_out,
    losable_databases,
    without_login,
    old_metadata,
    untagged,
    unknown_settings,
    misused_arguments,
)

__all__ = ["Item", "findings", "settings_in"]
