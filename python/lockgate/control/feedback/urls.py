"""The routes of feedback: those of the portal, under `/portal/feedback/`, and those of the console."""

from __future__ import annotations

from django.urls import path

from lockgate.control.feedback import pages

urlpatterns = [
    path("portal/feedback/", pages.threads, name="feedback_threads"),
    path("portal/feedback/write/", pages.write, name="feedback_write"),
    path("portal/feedback/rate/", pages.rate, name="feedback_rate"),
    path("portal/feedback/<int:pk>/", pages.thread, name="feedback_thread"),
    path("portal/feedback/<int:pk>/close/", pages.close, name="feedback_close"),
    path("portal/feedback/<int:pk>/follow/", pages.follow, name="feedback_follow"),
    path("feedback/", pages.inbox, name="feedback_inbox"),
    path("feedback/<int:pk>/", pages.answer, name="feedback_answer"),
]
