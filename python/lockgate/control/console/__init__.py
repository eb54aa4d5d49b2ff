"""The pages for those who run the gateway. No page asks another host for anything."""
