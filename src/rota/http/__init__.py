"""HTTP as all participants use it: routes that check caller and body, problems, OpenAPI, calls to a peer."""
