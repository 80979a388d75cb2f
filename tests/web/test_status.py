"""A request can ask how far the index is behind."""

from pyramid.renderers import render_to_response

from tests.sync.models import Movie


def test_a_view_asks_its_request_what_waits(make_app):
    def view(request):
        return render_to_response(
            "json", {"waiting": request.sync_status.total.waiting}, request
        )

    def configure(config):
        config.add_route("status", "/status")
        config.add_view(view, route_name="status")

    app = make_app(configure, nefertari__sync="off")
    app.save(Movie(id=1, title="Alien"))
    assert app.web.get("/status").json == {"waiting": 1}
