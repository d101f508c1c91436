module go.opentelemetry.io/contrib/exporters/autoexport

go 1.26.3

require go.opentelemetry.io/otel/sdk v1.47.0
