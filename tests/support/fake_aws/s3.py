"""S3: life cycles are answered as they were given, of which moto forgets parts, and conditions of policies are heeded.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLifecycleConfiguration.html
"""

import json
from typing import Any

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket
from moto.s3.responses import S3Response

_documents: dict[str, bytes] = {}
_put = S3Response._bucket_response_put
_get = S3Response.get_bucket_lifecycle


def install() -> None:
    """Mend the calls."""
    S3Response._bucket_response_put = _keep_rules
    S3Response.get_bucket_lifecycle = _kept_rules
    FakeBucket.get_permission = _permission


def _keep_rules(self: S3Response, request: Any, bucket_name: str, querystring: dict[str, Any]) -> Any:
    if "lifecycle" in querystring:
        _documents[bucket_name] = self.body
    return _put(self, request, bucket_name, querystring)


def _kept_rules(self: S3Response) -> Any:
    # Whether there are any, moto knows.
    _get(self)
    sizes = {"x-amz-transition-default-minimum-object-size": "all_storage_classes_128K"}
    return 200, sizes, _documents[self.bucket_name]


def _permission(self: FakeBucket, action: str, resource: str) -> Any:
    """Judge without the statements that have conditions: moto would apply them always."""
    if self.policy is None:
        return PermissionResult.NEUTRAL
    policy = json.loads(self.policy)
    policy["Statement"] = [one for one in policy["Statement"] if "Condition" not in one]
    return IAMPolicy(json.dumps(policy)).is_action_permitted(action, resource)
