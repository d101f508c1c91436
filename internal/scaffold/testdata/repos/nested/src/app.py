from flask import Flask, request

app = Flask(__name__)


@app.route("/ping")
def ping():
    return "pong"


@app.route("/invocations", methods=["POST"])
def invocations():
    return request.get_json()
