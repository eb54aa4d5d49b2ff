"""The admin API and `/audit/logs`: thin layers over what the apps do."""
