"""What customers say, over HTTP: `/reviews` and `/reviews/<product id>`. Version v2 gives stars as well."""

from __future__ import annotations

from dataclasses import dataclass

from sampan.demo.services.faults import Faults
from sampan.demo.services.running import Identity, run, settings
from sampan.demo.services.web import Request, Response, WebServer, as_json, problem


@dataclass(frozen=True, slots=True)
class Review:
    """`stars` from 1 to 5."""

    author: str
    words: str
    stars: int


REVIEWS = {
    "yuloh": (
        Review("Mei", "Learned it in a morning, still learning it.", 5),
        Review("Old Tan", "Squeaks. So do I.", 4),
    ),
    "lantern": (Review("Ida", "The herons have stopped complaining.", 5),),
    "rope": (
        Review("Bo", "It is <b>rope</b>. It holds things.", 4),  # the page must show the brackets, not obey them
        Review("Lin", "Thirty-nine metres. I measured.", 3),
    ),
    "net": (Review("Sui", "Caught dinner and one boot.", 4),),
    "kettle": (
        Review("Ravi", "Tea for four at the second bend.", 5),
        Review("Ana", "The lid sings in a side wind.", 4),
    ),
    "chart": (Review("Jun", "Beautiful. Found my own house under water.", 3),),
}


def server(identity: Identity) -> WebServer:
    faults = Faults()
    stars = identity.version != "v1"

    def about(product: str) -> dict[str, object]:
        reviews = REVIEWS.get(product, ())
        facts: dict[str, object] = {
            "product": product,
            "reviews": [
                {"author": review.author, "words": review.words} | ({"stars": review.stars} if stars else {})
                for review in reviews
            ],
        }
        if stars and reviews:
            facts["stars"] = round(sum(review.stars for review in reviews) / len(reviews), 1)
        return facts

    async def answer(request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return problem(405, "reviews are read only here")
        if failure := await faults.meet(request):
            return failure
        more = {"attempts": faults.attempts(request), "from": identity.facts}
        match request.path.rstrip("/").split("/")[1:]:
            case ["reviews"]:
                return as_json({"products": [about(product) for product in REVIEWS], **more})
            case ["reviews", product] if product in REVIEWS:
                return as_json(about(product) | more)
            case ["reviews", _]:
                return problem(404, "nobody has reviewed that")
        return problem(404, "reviews are at /reviews and /reviews/<product id>")

    return WebServer(identity, answer)


if __name__ == "__main__":
    given = settings("reviews")
    run(given, server(given.identity))
