import json
from http.server import BaseHTTPRequestHandler, HTTPServer

with open("models/diabetes_model.json") as f:
    model = json.load(f)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.reply({"message": "diabetes prediction"})

    def do_POST(self):
        patient = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/diabetes_prediction":
            self.reply({"diabetic": patient["Glucose"] > model["glucose"]})

    def reply(self, document):
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


HTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
