"""What the registry of a project in a folder says."""

from pathlib import Path

from mlflow import MlflowClient


class Registered:
    """A base of test workspaces, with the model `thawline` in mlflow.db."""

    folder: Path

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(f"sqlite:///{self.folder / 'mlflow.db'}")

    def aliases(self) -> dict[str, str]:
        return {k: str(v) for k, v in self.client.get_registered_model("thawline").aliases.items()}

    def tags(self, version: str) -> dict[str, str]:
        return dict(self.client.get_model_version("thawline", version).tags)
