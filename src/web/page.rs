//! What a browser is shown at `/`. Pure. The dashboard's place: until it is there, what can be asked for.

/// Names no other place, so that it works offline.
pub(super) const HTML: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width\">
<title>pmr-runtime</title>
<h1>pmr-runtime</h1>
<ul>
<li><a href=\"/metrics\">/metrics</a>: figures for Prometheus
<li><a href=\"/livez\">/livez</a>, <a href=\"/healthz\">/healthz</a>, <a href=\"/readyz\">/readyz</a>: probes
<li><a href=\"/v1/apps\">/v1/apps</a>, <a href=\"/v1/runtime\">/v1/runtime</a>: the API
</ul>
</html>
";
