"""The original's models in the real Django, with the tables that its schema editor makes.

usage: django_app.py mysql://USER:PASSWORD@HOST:PORT/NAME create ROWS | write ROWS | count
"""
import sys
from urllib.parse import urlsplit

import pymysql

pymysql.version_info = (2, 2, 1, "final", 0)
pymysql.install_as_MySQLdb()

import django
from django.conf import settings

url = urlsplit(sys.argv[1])
settings.configure(
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.mysql",
            "NAME": url.path[1:],
            "USER": url.username,
            "PASSWORD": url.password,
            "HOST": url.hostname,
            "PORT": url.port,
            "OPTIONS": {"charset": "utf8mb4"},
        }
    },
)
django.setup()

from django.db import connection, models
from django.db.migrations.recorder import MigrationRecorder


class App(models.Model):
    name = models.CharField(max_length=100)
    owner = models.CharField(max_length=100)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "core"


class Log(models.Model):
    app = models.ForeignKey(App, on_delete=models.CASCADE)
    level = models.CharField(max_length=10)
    message = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "core"


class Alert(models.Model):
    app = models.ForeignKey(App, on_delete=models.CASCADE)
    content = models.TextField()
    is_resolved = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "core"


class LogSummary(models.Model):
    app = models.ForeignKey(App, on_delete=models.CASCADE)
    info_count = models.IntegerField(default=0)
    warn_count = models.IntegerField(default=0)
    error_count = models.IntegerField(default=0)
    date = models.DateField()

    class Meta:
        app_label = "core"


def write(rows, prefix):
    app = App.objects.order_by("id").first()
    for n in range(rows):
        Log.objects.create(app=app, level="ERROR", message=f"{prefix} {n} 支付超时 🚨")


action = sys.argv[2]
if action == "create":
    MigrationRecorder(connection).ensure_schema()
    with connection.schema_editor() as editor:
        for model in (App, Log, Alert, LogSummary):
            editor.create_model(model)
    shop = App.objects.create(name="shop", owner="li")
    Alert.objects.create(app=shop, content="101 error logs in the past 10 minutes")
    LogSummary.objects.create(app=shop, date="2026-11-20", error_count=3)
    write(int(sys.argv[3]), "before")
elif action == "write":
    write(int(sys.argv[3]), "meanwhile")
else:
    print(Log.objects.count())
