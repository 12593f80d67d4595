"""What OpenSearch is told: templates, policies, dashboards, and the questions they answer."""
