"""What Django is told. Everything that a person can choose is in `ControlSettings`."""

from __future__ import annotations

from lockgate.control.accounts.configuration import IdentitySettings
from lockgate.control.configuration import ControlSettings
from lockgate.control.feeds.configuration import feed_folder
from lockgate.control.notify.configuration import MailSettings, private_networks
from lockgate.control.secret import make_checkpoint_key, make_state, secret_key

LOCKGATE = ControlSettings.from_environment()
make_state(LOCKGATE.state)
make_checkpoint_key(LOCKGATE.state)

LOCKGATE_MAIL = MailSettings.from_environment()
LOCKGATE_IDENTITY = IdentitySettings.from_environment(sends_mail=LOCKGATE_MAIL is not None)
LOCKGATE_WEBHOOK_PRIVATE = private_networks()
LOCKGATE_FEED_FOLDER = feed_folder()

SECRET_KEY = secret_key(LOCKGATE.state)
DEBUG = False
ALLOWED_HOSTS = LOCKGATE.hosts
DATABASES = {"default": LOCKGATE.django_database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False

INSTALLED_APPS = [
    "lockgate.control.accounts",
    "lockgate.control.audit",
    "lockgate.control.events",
    "lockgate.control.alerts",
    "lockgate.control.analytics",
    "lockgate.control.worker",
    "lockgate.control.changes",
    "lockgate.control.nodes",
    "lockgate.control.access",
    "lockgate.control.owners",
    "lockgate.control.routes",
    "lockgate.control.notify",
    "lockgate.control.console",
    "lockgate.control.portal",
    "lockgate.control.feedback",
    "lockgate.control.feeds",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
]
MIDDLEWARE = [
    "lockgate.control.guards.security_headers",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "lockgate.control.accounts.second_factor.SecondFactorMiddleware",
    "lockgate.control.console.forms_only.FormsOnlyMiddleware",
]
ROOT_URLCONF = "lockgate.control.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "lockgate.control.console.context.navigation",
                "lockgate.control.portal.context.portal_navigation",
                "lockgate.control.notify.context.notifications",
                "lockgate.control.accounts.context.ways_in",
            ]
        },
    }
]
STATIC_URL = "/static/"
WHITENOISE_ALLOW_ALL_ORIGINS = False
WHITENOISE_USE_FINDERS = True
"""Pages' files are served out of the package; nothing is collected or written at installation."""

# People and how they sign in.
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ["email", "name"]},
    },
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "overview"
LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_ADAPTER = "lockgate.control.accounts.adapters.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
"""Whoever may manage accounts hands the link to a new one over; nobody signs up."""
ACCOUNT_FORMS = {
    "login": "lockgate.control.accounts.forms.SignIn",
    "reauthenticate": "lockgate.control.accounts.forms.SignInAgain",
}
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",
    "login_failed": "10/m/ip,5/5m/key",
    "signup": "20/h/ip,3/h/key",
    "reset_password": "20/h/ip,3/h/key",
}
MFA_ADAPTER = "lockgate.control.accounts.adapters.MfaAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_FORMS = {
    "authenticate": "lockgate.control.accounts.forms.Code",
    "reauthenticate": "lockgate.control.accounts.forms.CodeAgain",
    "add_webauthn": "lockgate.control.accounts.forms.AddPasskey",
    "edit_webauthn": "lockgate.control.accounts.forms.RenamePasskey",
}
# Browsers have passkeys on https, and on this machine alone without.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not LOCKGATE.is_https
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_TOTP_ISSUER = "Lockgate"

SOCIALACCOUNT_ADAPTER = "lockgate.control.accounts.provider.ProviderAdapter"
SOCIALACCOUNT_PROVIDERS = LOCKGATE_IDENTITY.provider.to_django() if LOCKGATE_IDENTITY.provider else {}
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False
SOCIALACCOUNT_EMAIL_VERIFICATION = "none"
"""Who is not verified at the provider does not come as far."""
SOCIALACCOUNT_REAUTHENTICATION_REQUIRED = True

# What is counted to throttle is in the database: it holds for every process, and over a restart.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "lockgate_cache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}

if LOCKGATE_MAIL is not None:
    globals().update(LOCKGATE_MAIL.to_django())
EMAIL_TIMEOUT = 15

# Sessions and what browsers may do with pages.
_HOST_ONLY = "__Host-" if LOCKGATE.is_https else ""
SESSION_COOKIE_NAME = f"{_HOST_ONLY}lockgate-session"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_SECURE = LOCKGATE.is_https
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = f"{_HOST_ONLY}lockgate-csrf"
CSRF_COOKIE_SECURE = LOCKGATE.is_https
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "lockgate.control.console.errors.csrf_failure"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1 << 20
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    # A path may hold a one-time link; what was refused is in the audit log where it matters.
    "loggers": {
        "django.request": {"level": "CRITICAL"},
        "django.security": {"level": "CRITICAL"},
    },
}
