"""The pages of changes and rollouts."""

from __future__ import annotations

from django.urls import path

from lockgate.control.changes import pages, rollout_pages

urlpatterns = [
    path("changes/", pages.changes, name="changes"),
    path("changes/<str:name>/", pages.change, name="change"),
    path("changes/<str:name>/progress/", pages.progress, name="change_progress"),
    path("changes/<str:name>/document/", pages.document, name="change_document"),
    path("changes/<str:name>/check/", pages.check, name="change_check"),
    path("changes/<str:name>/policy/", pages.policy, name="change_policy"),
    path("changes/<str:name>/policy/new/", pages.add_policy, name="change_add_policy"),
    path("changes/<str:name>/about/", pages.about, name="change_about"),
    path("changes/<str:name>/expectation/", pages.expectation, name="change_expectation"),
    path("changes/<str:name>/cases/", pages.cases, name="change_cases"),
    path("changes/<str:name>/evidence/<str:step>/", pages.step, name="change_step"),
    path("changes/<str:name>/gather/", pages.gather, name="change_gather"),
    path("changes/<str:name>/cancel/", pages.cancel, name="change_cancel"),
    path("changes/<str:name>/approve/", pages.approve, name="change_approve"),
    path("changes/<str:name>/begin/", pages.begin, name="change_begin"),
    path("changes/<str:name>/unschedule/", pages.unschedule, name="change_unschedule"),
    path("changes/<str:name>/break-glass/", pages.break_glass, name="change_break_glass"),
    path("changes/<str:name>/rebase/", pages.rebase, name="change_rebase"),
    path("changes/<str:name>/withdraw/", pages.withdraw, name="change_withdraw"),
    path("rollout/", rollout_pages.rollout, name="rollout"),
    path("rollout/live/", rollout_pages.rollout_live, name="rollout_live"),
    path("rollout/<str:what>/", rollout_pages.command, name="rollout_command"),
    path("revisions/", rollout_pages.revisions, name="revisions"),
]
