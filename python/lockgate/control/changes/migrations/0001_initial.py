import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Proposal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.SlugField(max_length=64, unique=True)),
                ("purpose", models.CharField(max_length=2000)),
                ("author", models.CharField(max_length=254)),
                ("editors", models.JSONField(default=list)),
                (
                    "stage",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("rolling", "Rolling out"),
                            ("live", "Live"),
                            ("rolled_back", "Rolled back"),
                            ("withdrawn", "Withdrawn"),
                        ],
                        db_index=True,
                        default="draft",
                        max_length=16,
                    ),
                ),
                ("says", models.CharField(blank=True, max_length=2000)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("begin_at", models.DateTimeField(db_index=True, null=True)),
                ("begin_by", models.CharField(blank=True, max_length=254)),
                ("began_at", models.DateTimeField(null=True)),
                ("began_by", models.CharField(blank=True, max_length=254)),
                ("break_glass", models.CharField(blank=True, max_length=2000)),
                ("rollout", models.CharField(blank=True, max_length=64)),
                ("source", models.CharField(blank=True, max_length=64)),
                ("base", models.CharField(blank=True, max_length=64)),
                ("candidate", models.CharField(blank=True, max_length=64)),
                ("ended_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["-created_at", "-id"],
            },
        ),
    ]
