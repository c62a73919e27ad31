"""The second reader: what it adds must stand in the story and be read by the grammars."""

import http.server
import json
import threading

import pytest

from outlay.errors import InputError
from outlay.evidence.reading.second import with_second_reader

STORY = "Orla said it will spend $2 billion on chips. Its boss spoke of a farm of 5 football pitches and 70 kiloseats."


@pytest.fixture
def endpoint():
    """An endpoint that answers with what the test sets, and keeps what it was asked."""

    class Model(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            server.asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            content = server.answer if isinstance(server.answer, str) else json.dumps(server.answer)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"choices": [{"message": {"content": content}}]}).encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    server.address = f"http://127.0.0.1:{server.server_port}/v1"
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_quotes_are_checked(told, names, endpoint):
    """A known claim agrees, an invented quote is refused and asked about, a quote without a figure too."""
    endpoint.answer = [
        {"quote": "$2 billion", "about": "chips", "status": "denied"},
        {"quote": "$3 billion on sites", "about": "sites"},
        {"quote": "Its boss spoke", "about": "nothing"},
    ]
    before = told(STORY)
    after = with_second_reader(before, names, endpoint.address, "some-model")
    assert after.claims == before.claims
    assert after.checks[-1].detail == "1 claims found by both, 0 added, 2 refused"
    assert [q.text for q in after.questions[-2:]] == [
        "The second reader claims '$3 billion on sites', which is refused: it quotes nothing that stands in the story.",
        "The second reader claims 'Its boss spoke', which is refused: no quantity can be read in it.",
    ]
    assert endpoint.asked["model"] == "some-model"
    assert STORY in endpoint.asked["messages"][1]["content"]


def test_an_added_claim_is_marked_and_read_by_the_grammars(told, names, endpoint):
    """The figure comes from the quote, never from the answer's own number."""
    story = told("Orla has a plan. It is said to take 40 MW.")
    bare = type(story)(story.articles, ())
    endpoint.answer = [{"quote": "40 MW", "quantity": 99, "subject": "Orla", "about": "power", "status": "reported"}]
    (claim,) = with_second_reader(bare, names, endpoint.address, "m").claims
    assert (claim.quantity, claim.unit, claim.remarks) == (40.0, "MW", ("found by the second reader",))
    assert claim.sentence == "It is said to take 40 MW."


@pytest.mark.parametrize("answer", ["no JSON here", '{"quote": "a"}'])
def test_other_answers_are_refused(told, names, endpoint, answer):
    """An answer in another form stops the reading with a word on what was expected."""
    endpoint.answer = answer
    with pytest.raises(InputError, match=r"JSON array|no list of claims"):
        with_second_reader(told(STORY), names, endpoint.address, "m")


def test_a_silent_endpoint_is_named(told, names):
    """Nobody listens there."""
    with pytest.raises(InputError, match="the second reader does not answer"):
        with_second_reader(told(STORY), names, "http://127.0.0.1:1/v1", "m")
