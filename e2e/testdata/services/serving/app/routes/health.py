ROUTES = {"/health": {"status": "ok", "model_loaded": True, "version": "dummy"}, "/ready": {"ready": True}}


def get(path):
    return (200, ROUTES[path]) if path in ROUTES else (404, {"detail": "Not Found"})
