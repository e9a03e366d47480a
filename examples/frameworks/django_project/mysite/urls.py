from __future__ import annotations

from django.contrib import admin
from django.urls import path

from . import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("health", views.health),
    path("", views.hello),
    path("notes", views.notes),
    path("audit", views.audit),
    path("reports", views.Reports.as_view()),
]
