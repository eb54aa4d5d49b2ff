"""The routes of applications, teams and plans."""

from __future__ import annotations

from django.urls import path

from lockgate.control.access import console, portal
from lockgate.control.access.oauth import endpoints

urlpatterns = [
    path("portal/applications/", portal.my_applications, name="my_applications"),
    path("portal/applications/<str:name>/", portal.my_application, name="my_application"),
    path("portal/applications/<str:name>/change/", portal.change_application, name="change_application"),
    path("portal/applications/<str:name>/suspend/", portal.suspend, name="suspend_application"),
    path("portal/applications/<str:name>/move/", portal.move, name="move_application"),
    path("portal/applications/<str:name>/retire/", portal.retire, name="retire_application"),
    path("portal/applications/<str:name>/subscribe/", portal.subscribe, name="subscribe"),
    path(
        "portal/applications/<str:name>/subscriptions/<int:pk>/end/", portal.unsubscribe, name="unsubscribe"
    ),
    path(
        "portal/applications/<str:name>/credentials/<int:pk>/rotate/", portal.rotate, name="rotate_credential"
    ),
    path(
        "portal/applications/<str:name>/credentials/<int:pk>/revoke/", portal.revoke, name="revoke_credential"
    ),
    path("portal/teams/", portal.make_team, name="make_team"),
    path("portal/teams/<str:name>/", portal.my_team, name="my_team"),
    path("portal/teams/<str:name>/members/", portal.change_member, name="change_member"),
    path("portal/join/<str:token>/", portal.join, name="join_team"),
    path("applications/", console.applications, name="applications"),
    path("deliveries/", console.deliver, name="deliver"),
    path("applications/<str:name>/", console.application, name="application"),
    path("plans/", console.all_plans, name="plans"),
    path("plans/<str:name>/", console.plan, name="plan"),
    path("requests/", console.requests, name="requests"),
    path("requests/<int:pk>/", console.decide, name="decide_request"),
    path("oauth/token", endpoints.token, name="oauth_token"),
    path("oauth/jwks.json", endpoints.jwks, name="oauth_jwks"),
    path(".well-known/oauth-authorization-server", endpoints.metadata, name="oauth_metadata"),
]
