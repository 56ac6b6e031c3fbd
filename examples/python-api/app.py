"""An API that greets."""

import os

import bottle

app = bottle.Bottle()


@app.get("/hello/<name>")
def hello(name: str) -> dict[str, str]:
    """Greet somebody by name."""
    return {"message": f"Hello, {name}!"}


if __name__ == "__main__":
    app.run(host="0.0.0.0", port=int(os.environ["PORT"]))
