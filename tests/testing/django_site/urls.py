from __future__ import annotations

from django.http import HttpResponse, HttpResponseRedirect, JsonResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import path

from oauth_mw import current_token


def reports(request):
    return HttpResponse(f"reports for {request.META['oauth_mw.client_id']}")


def keys(request):
    return JsonResponse({"attributes": dict(current_token(request.META).attributes), "keys": sorted(request.META)})


def page(request):
    return render(request, "page.html", {"client_id": request.META["oauth_mw.client_id"]})


def user(request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    return HttpResponse(f"{request.user.username} {request.session['visits']}")


def stream(request):
    return StreamingHttpResponse(iter(["one ", "two"]))


def fails(request):
    raise ValueError("in the view")


urlpatterns = [
    path("health", lambda request: HttpResponse("ok"), name="health"),
    path("reports", reports, name="reports"),
    path("keys", keys),
    path("page", page),
    path("user", user),
    path("stream", stream),
    path("old", lambda request: HttpResponseRedirect("/reports")),
    path("fails", fails),
]
