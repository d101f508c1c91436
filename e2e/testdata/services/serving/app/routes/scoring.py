import json


def post(path, body):
    if path != "/predict":
        return 404, {"detail": "Not Found"}
    features = json.loads(body)["features"]
    return 200, {"prediction": sum(features) / len(features), "model_version": "dummy"}
