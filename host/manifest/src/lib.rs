//! Manifests: text in, every error at once or the desired state out; desired minus actual is steps.
