"""TensorBoard and MLflow follow the trainings of qgen."""
