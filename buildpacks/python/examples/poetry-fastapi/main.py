import fastapi

app: fastapi.FastAPI = fastapi.FastAPI()
