"""One page."""

from django.urls import path

from contrast.views import show_contrast

urlpatterns = [path("", show_contrast)]
