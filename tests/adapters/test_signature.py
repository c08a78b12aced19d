"""Our V4 signature against oss2's, request by request."""

import datetime
import warnings
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from backup_action.adapters.oss.signature import Credentials, object_path, query_text, sign

MOMENT = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
KEYS = Credentials("LTAIEXAMPLE", "SECRETEXAMPLE", "TOKENEXAMPLE")
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
queries = st.dictionaries(texts.filter(bool), texts, max_size=4)


def test_the_vector_that_oss2_made() -> None:
    headers = {"content-type": "text/plain", "x-oss-forbid-overwrite": "true"}
    path = object_path("examplebucket", "dir/a b.txt")
    sent = sign(KEYS, "cn-hangzhou", "PUT", path, "", headers, MOMENT.timestamp())
    assert sent["authorization"].endswith("679479a231ad1919b3846e2f73754702955bf9865e8e7e77c33a4f4cb0ecb280")
    assert sent["x-oss-security-token"] == "TOKENEXAMPLE" and "SECRETEXAMPLE" not in repr(sent)


@given(
    texts.filter(bool), st.dictionaries(texts.filter(bool), texts, max_size=4), st.sampled_from(["PUT", "GET", "POST"])
)
def test_any_request_is_signed_as_oss2_signs_it(key: str, query: dict[str, str], method: str) -> None:
    import oss2

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bucket = oss2.Bucket(
            oss2.StsAuth(KEYS.access_key_id, KEYS.secret, KEYS.token, auth_version=oss2.AUTH_VERSION_4),
            "https://oss-cn-hangzhou.aliyuncs.com", "examplebucket", region="cn-hangzhou",
        )  # fmt: skip
        request = oss2.http.Request(method, "https://x/", params=dict(query), headers={"content-type": "a/b"})
        request.region, request.product, request.cloudbox_id = "cn-hangzhou", "oss", None
        bucket.auth._sign_request(request, "examplebucket", key)
    moment = datetime.datetime.strptime(request.headers["x-oss-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
    path = object_path("examplebucket", key)
    sent = sign(KEYS, "cn-hangzhou", method, path, query_text(query), {"content-type": "a/b"}, moment.timestamp())
    assert (
        sent["authorization"].rpartition("Signature=")[2]
        == request.headers["authorization"].rpartition("Signature=")[2]
    )


@given(texts)
def test_the_path_is_quoted_once(key: str) -> None:
    assert object_path("b", key) == "/b/" + quote(key, safe="/-_.~")


def test_secrets_are_not_in_the_repr() -> None:
    assert "SECRET" not in repr(KEYS) and "TOKENEX" not in repr(KEYS)
