from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework.response import Response
from rest_framework.views import APIView

from oauth_mw.contrib.django import require_scope


def health(request):
    return HttpResponse("ok\n")


def hello(request):
    return HttpResponse(f"hello {request.META['oauth_mw.client_id']}, you may {request.META['oauth_mw.scope']}\n")


@csrf_exempt  # clients send no cookie, and so no CSRF token
def notes(request):
    return HttpResponse("noted\n", status=201 if request.method == "POST" else 200)


@require_scope("audit")
def audit(request):
    return HttpResponse("nothing happened\n")


class Reports(APIView):
    """A view of Django REST framework, which exempts its views from CSRF checks by itself."""

    def get(self, request):
        return Response({"reports": [], "client": request.user.pk, "scope": request.auth.scope})

    def post(self, request):
        return Response({"filed": request.data["title"], "client": request.user.pk}, status=201)
