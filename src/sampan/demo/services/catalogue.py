"""What the shop sells, over HTTP: `/products` and `/products/<id>`."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sampan.demo.services.faults import Faults
from sampan.demo.services.running import Identity, run, settings
from sampan.demo.services.web import Request, Response, WebServer, as_json, problem


@dataclass(frozen=True, slots=True)
class Product:
    """`price` in cents; `picture` names a drawing of the front page."""

    id: str
    name: str
    words: str
    price: int
    picture: str


PRODUCTS = (
    Product(
        "yuloh", "Sculling oar", "One oar over the stern. Steers, drives, and leans well against a wall.", 8900, "oar"
    ),
    Product("lantern", "Bow lantern", "Brass and rice paper. Says “I am here” to whatever is coming.", 3450, "lantern"),
    Product(
        "rope", "Forty metres of rope", "Hemp, three strands, tarred. Most problems are half of this.", 2700, "rope"
    ),
    Product("net", "Casting net", "Catches what is there and lets the small ones go & grow.", 5200, "net"),
    Product(
        "kettle", "Deck kettle", "Boils on a charcoal stove in the time it takes to reach the bend.", 4100, "kettle"
    ),
    Product(
        "chart",
        "Chart of the delta",
        "Every channel, as of spring. The river has since had other ideas.",
        1850,
        "chart",
    ),
)


def server(identity: Identity) -> WebServer:
    faults = Faults()
    products = {product.id: asdict(product) for product in PRODUCTS}

    async def answer(request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return problem(405, "the catalogue is read only")
        if failure := await faults.meet(request):
            return failure
        match request.path.rstrip("/").split("/")[1:]:
            case ["products"]:
                return as_json({"products": list(products.values()), "from": identity.facts})
            case ["products", name] if name in products:
                return as_json({"product": products[name], "from": identity.facts})
            case ["products", _]:
                return problem(404, "no such product; /products lists them")
        return problem(404, "the catalogue has /products and /products/<id>")

    return WebServer(identity, answer)


if __name__ == "__main__":
    given = settings("catalogue")
    run(given, server(given.identity))
