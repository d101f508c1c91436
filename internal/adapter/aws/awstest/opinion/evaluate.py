"""Decides accesses by ministack's evaluator of policies, one a line.

Its SimulateCustomPolicy calls the same evaluator, but drops ContextEntries and
boundaries on the way.
"""
import json
import sys

from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

for line in sys.stdin:
    q = json.loads(line)
    keys = {k.lower(): v[0] if len(v) == 1 else v for k, v in (q["keys"] or {}).items()}
    account = q["account"]
    context = EvalContext(
        principal_arn=f"arn:aws:iam::{account}:role/simulated",
        principal_type="AssumedRole",
        principal_account=account,
        action=q["action"],
        resource_arn=q["resource"],
        region=q["region"],
        source_ip="127.0.0.1",
        secure_transport=keys.get("aws:securetransport") == "true",
        service_context=keys,
    )
    limits = [[parse_policy_document(q["boundary"])]] if q["boundary"] else []
    policies = [parse_policy_document(text) for text in q["policies"]]
    print(evaluate(context, policies, *limits).decision, flush=True)
