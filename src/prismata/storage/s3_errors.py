"""The s3 backend's door: what boto3 raises becomes one sentence for a person."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoAuthTokenError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as NoConnectionError

from prismata.core.errors import InvalidInputError, UnavailableError, UserError

_NO_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    NoAuthTokenError,
    TokenRetrievalError,
    SSOError,
)
NETWORK_ERRORS = (HTTPClientError, NoConnectionError)
"""The store was not reached, or broke off."""
_DENIED = {
    "403",
    "AccessDenied",
    "AllAccessDisabled",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
}


@contextmanager
def s3_door(asked: str) -> Iterator[None]:
    """Translate everything boto3 raises inside.

    Args:
        asked: What was asked, as in "could not …".

    Raises:
        UnavailableError: If the store cannot be reached, denies or fails.
        InvalidInputError: If boto3 refuses an argument.
    """
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise translated(error, asked) from error


def translated(error: ClientError | BotoCoreError, asked: str) -> UserError:
    """Return our error for one of boto3's."""
    if isinstance(error, ClientError):
        return _translated_answer(error, asked)
    if isinstance(error, _NO_CREDENTIALS):
        return UnavailableError(
            f"could not {asked}: there are no usable AWS credentials ({error}); "
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or an instance role"
        )
    if isinstance(error, ParamValidationError):
        return InvalidInputError(f"could not {asked}: {error}")
    if isinstance(error, NETWORK_ERRORS):
        return UnavailableError(
            f"could not {asked}: the store cannot be reached ({error}); "
            "check the network and PRISMATA_S3_ENDPOINT_URL, then try again"
        )
    return UnavailableError(f"could not {asked}: {error}")


def _translated_answer(error: ClientError, asked: str) -> UserError:
    code = code_of(error)
    if code == "NoSuchBucket":
        return UnavailableError(
            f"could not {asked}: there is no such bucket; check PRISMATA_S3_BUCKET"
        )
    if code in _DENIED:
        return UnavailableError(
            f"could not {asked}: access is denied ({code}); check the AWS credentials, "
            "their expiry and the bucket's policy"
        )
    return UnavailableError(f"could not {asked}: the store answered {code} ({error})")


def code_of(error: ClientError) -> str:
    """Return S3's error code; for a HEAD request, which has no body, the HTTP status as text."""
    return str(error.response.get("Error", {}).get("Code", ""))


def status_of(error: ClientError) -> int:
    """Return the HTTP status of the answer, 0 if there is none."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
